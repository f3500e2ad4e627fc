using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>What a node is and does at one moment, as <see cref="RedisTopologyProbe.ReportAsync"/> found it. Immutable.</summary>
internal sealed record RedisNodeReport
{
    /// <summary>Whether a server takes writes; true for a lock node, false for a Sentinel.</summary>
    public bool IsPrimary { get; init; }

    /// <summary>The primary that a replica follows or a Sentinel watches; null for a primary and a lock node.</summary>
    public RedisAddress? Primary { get; init; }

    /// <summary>Whether a replica's link to its primary is up.</summary>
    public bool LinkUp { get; init; }

    /// <summary>How far a replica is behind; null when its primary does not see it.</summary>
    public RedisReplicaLag? Lag { get; init; }

    /// <summary>How many replicas a primary has in sync; of one of two regions only its own.</summary>
    public int ReplicasInSync { get; init; }

    /// <summary>Whether a Sentinel monitors nothing, as those of a standby region do.</summary>
    public bool IsIdle { get; init; }

    /// <summary>How a Sentinel flags the primary: <c>master</c>, and more when it finds it down.</summary>
    public string? PrimaryFlags { get; init; }

    /// <summary>How many Sentinels must agree that the primary is down.</summary>
    public int Quorum { get; init; }

    /// <summary>How many other Sentinels a Sentinel knows.</summary>
    public int OtherSentinels { get; init; }

    /// <summary>A Sentinel's count of the failovers that it has seen to their end; of a node of a cluster the epoch of its slots.</summary>
    public long ConfigEpoch { get; init; }

    /// <summary>Whether a Sentinel could start a failover: it sees enough others and is not in TILT.</summary>
    public bool CanFailOver { get; init; }

    /// <summary>The slots that a node of a cluster serves by its own account; null where there is no cluster.</summary>
    public IReadOnlyList<RedisSlotRange>? Slots { get; init; }

    internal IReadOnlyDictionary<RedisAddress, RedisReplicaLag> ReplicaLags { get; init; } =
        new Dictionary<RedisAddress, RedisReplicaLag>();

    /// <summary>How far a replica is behind is known where its acknowledgements arrive.</summary>
    internal static void TellLags(Dictionary<RedisNode, RedisNodeReport?> reports, INodeLayout layout)
    {
        foreach (var lag in reports.Values.OfType<RedisNodeReport>().SelectMany(r => r.ReplicaLags).ToList())
        {
            if (layout.NodeAt(lag.Key) is { } replica && reports[replica] is { IsPrimary: false } report)
            {
                reports[replica] = report with { Lag = lag.Value };
            }
        }
    }

    /// <summary>From the section <c>replication</c> of INFO.</summary>
    internal static RedisNodeReport OfServer(string info)
    {
        var fields = info.Split("\r\n").Select(line => line.Split(':', 2)).Where(pair => pair.Length == 2)
            .ToDictionary(pair => pair[0], pair => pair[1]);
        if (fields["role"] != "master")
        {
            return new()
            {
                Primary = new(fields["master_host"], int.Parse(fields["master_port"], CultureInfo.InvariantCulture)),
                LinkUp = fields["master_link_status"] == "up",
            };
        }

        var offset = long.Parse(fields["master_repl_offset"], CultureInfo.InvariantCulture);
        var lags = new Dictionary<RedisAddress, RedisReplicaLag>();
        foreach (var (_, value) in fields.Where(f => f.Key.StartsWith("slave", StringComparison.Ordinal)
            && f.Value.StartsWith("ip=", StringComparison.Ordinal)))
        {
            // ip=127.0.0.1,port=6380,state=online,offset=1234,lag=0
            var replica = value.Split(',').Select(part => part.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
            if (replica["state"] == "online")
            {
                lags[new(replica["ip"], int.Parse(replica["port"], CultureInfo.InvariantCulture))] = new(
                    Math.Max(0, offset - long.Parse(replica["offset"], CultureInfo.InvariantCulture)),
                    TimeSpan.FromSeconds(long.Parse(replica["lag"], CultureInfo.InvariantCulture)));
            }
        }

        return new() { IsPrimary = true, ReplicaLags = lags, ReplicasInSync = lags.Count };
    }
}
