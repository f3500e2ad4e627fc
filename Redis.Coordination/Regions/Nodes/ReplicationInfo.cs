using System.Globalization;
using System.Net;
using AspireRedis.Coordination.Failover;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>
/// What a server says of its replication (<c>INFO replication</c>). Its history is known by ids: up to <see cref="SecondOffset"/> it is
/// that of <see cref="SecondId"/>, and of <see cref="Id"/> from there on.
/// </summary>
/// <param name="IsPrimary">Whether it takes itself for a primary.</param>
/// <param name="Primary">Whom it follows; null for a primary.</param>
/// <param name="IsLinked">Whether it is connected with that one, and in sync; true for a primary.</param>
/// <param name="Id">Its replication id.</param>
/// <param name="SecondId">The one of before.</param>
/// <param name="Offset">The position of the last byte that it has.</param>
/// <param name="SecondOffset">Up to where, exclusive, its history is that of <paramref name="SecondId"/>; negative for nowhere.</param>
/// <param name="Replicas">Who follows it.</param>
/// <param name="SilentFor">How long ago it heard of its primary; null when that is not known.</param>
internal sealed record ReplicationInfo(bool IsPrimary, EndPoint? Primary, bool IsLinked, string Id, string SecondId, long Offset,
    long SecondOffset, IReadOnlyList<ReplicaInfo> Replicas, TimeSpan? SilentFor)
{
    public static ReplicationInfo Parse(string text)
    {
        var info = text.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(':', 2)).Where(p => p.Length == 2)
            .ToDictionary(p => p[0], p => p[1], StringComparer.Ordinal);
        var isPrimary = info["role"] == "master";
        return new ReplicationInfo(
            isPrimary,
            isPrimary ? null : NodeAddress.Parse(info["master_host"], info["master_port"]),
            isPrimary || info["master_link_status"] == "up",
            info["master_replid"], info["master_replid2"],
            // A replica's own position; master_repl_offset of one that has not caught up yet is its backlog's.
            Number(info, "slave_repl_offset") ?? Number(info, "master_repl_offset") ?? 0,
            Number(info, "second_repl_offset") ?? -1,
            [.. info.Where(p => p.Key.StartsWith("slave", StringComparison.Ordinal) && p.Value.Contains("ip=", StringComparison.Ordinal))
                .Select(p => ReplicaInfo.Parse(p.Value))],
            // While the link is down there is no last time of input, but how long it has been down.
            (Number(info, "master_link_down_since_seconds") ?? Number(info, "master_last_io_seconds_ago")) is { } seconds and >= 0
                ? TimeSpan.FromSeconds(seconds) : null);
    }

    /// <summary>
    /// Up to which position, exclusive, two servers have the same history; null when they share none that they know of. What either
    /// has from there on the other has not.
    /// </summary>
    public static (string Id, long Offset)? Common(ReplicationInfo one, ReplicationInfo other)
    {
        (string Id, long Offset)? best = null;
        foreach (var (id, limit) in one.History())
        {
            foreach (var (same, otherLimit) in other.History())
            {
                var common = Math.Min(limit, otherLimit);
                if (id == same && (best is null || common > best.Value.Offset))
                {
                    best = (id, common);
                }
            }
        }
        return best;
    }

    private IEnumerable<(string Id, long Limit)> History()
    {
        yield return (Id, Offset + 1);
        if (SecondOffset > 0 && SecondId.Trim('0').Length > 0)
        {
            yield return (SecondId, SecondOffset);
        }
    }

    private static long? Number(Dictionary<string, string> info, string name)
        => info.TryGetValue(name, out var text) && long.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : null;
}

/// <summary>A replica as its primary knows it.</summary>
/// <param name="Node">The address that it announces.</param>
/// <param name="IsOnline">Whether it is in sync.</param>
/// <param name="Offset">What it has acknowledged.</param>
internal sealed record ReplicaInfo(EndPoint? Node, bool IsOnline, long Offset)
{
    /// <param name="text"><c>ip=127.0.0.1,port=6380,state=online,offset=1234,lag=0</c>.</param>
    public static ReplicaInfo Parse(string text)
    {
        var fields = text.Split(',').Select(f => f.Split('=', 2)).ToDictionary(f => f[0], f => f[1], StringComparer.Ordinal);
        return new ReplicaInfo(NodeAddress.Parse(fields["ip"], fields["port"]), fields["state"] == "online",
            long.Parse(fields["offset"], CultureInfo.InvariantCulture));
    }
}
