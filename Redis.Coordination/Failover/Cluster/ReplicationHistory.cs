using System.Globalization;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// What a server says of the writes that it has (<c>INFO replication</c>): the id of their history, the one before that, and where it left
/// that one. A replica that is promoted begins a new history; see
/// https://redis.io/docs/latest/operate/oss_and_stack/management/replication/#replication-id-explained.
/// </summary>
/// <param name="IsPrimary">It takes itself for a primary.</param>
/// <param name="Id">The id of its history.</param>
/// <param name="FormerId">The id of the history before; zeros when there is none.</param>
/// <param name="LeftAt">It has everything of that before this position.</param>
internal sealed record ReplicationHistory(bool IsPrimary, string Id, string FormerId, long LeftAt)
{
    /// <summary>Reads a reply.</summary>
    public static ReplicationHistory Parse(string info)
    {
        var fields = ReplicationState.Parse(info);
        return new(fields["role"] == "master", fields["master_replid"], fields["master_replid2"],
            long.Parse(fields["second_repl_offset"], CultureInfo.InvariantCulture));
    }
}
