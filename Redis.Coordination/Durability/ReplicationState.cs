using System.Globalization;

namespace AspireRedis.Coordination;

/// <summary>How far the replicas of a primary are.</summary>
/// <param name="Replicas">Connected and in sync.</param>
/// <param name="LagBytes">What the one that is furthest behind has not acknowledged of the replication stream.</param>
/// <param name="Lag">How long ago that one acknowledged something; replicas do so once a second.</param>
internal sealed record ReplicationState(int Replicas, long LagBytes, TimeSpan Lag)
{
    /// <summary>Asks a primary.</summary>
    public static async Task<ReplicationState> ReadAsync(RedisShard shard, CancellationToken cancellationToken)
    {
        var info = Parse((await shard.InfoAsync("replication", cancellationToken)).Info);
        var offset = Number(info, "master_repl_offset");
        var replicas = ReplicasOf(info).Where(r => r["state"] == "online").ToList();
        return new ReplicationState(
            replicas.Count,
            replicas.Count == 0 ? 0 : replicas.Max(r => offset - Number(r, "offset")),
            TimeSpan.FromSeconds(replicas.Count == 0 ? 0 : replicas.Max(r => Number(r, "lag"))));
    }

    /// <summary>The lines of <c>INFO replication</c>.</summary>
    public static Dictionary<string, string> Parse(string info)
        => info.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(':', 2)).Where(pair => pair.Length == 2)
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);

    /// <summary>What it says of each replica: <c>slave0:ip=127.0.0.1,port=6380,state=online,offset=1234,lag=0</c>.</summary>
    public static IEnumerable<Dictionary<string, string>> ReplicasOf(Dictionary<string, string> info)
        => info.Where(p => p.Key.StartsWith("slave", StringComparison.Ordinal) && p.Value.StartsWith("ip=", StringComparison.Ordinal))
            .Select(p => p.Value.Split(',').Select(f => f.Split('=', 2)).ToDictionary(f => f[0], f => f[1], StringComparer.Ordinal));

    public static long Number(Dictionary<string, string> fields, string name) => long.Parse(fields[name], CultureInfo.InvariantCulture);
}
