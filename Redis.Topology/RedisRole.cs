namespace AspireRedis.Topology;

/// <summary>What a node is when the topology is first started. A failover changes who is the primary; it does not change this.</summary>
public enum RedisRole
{
    /// <summary>The server that takes writes at first.</summary>
    Primary,

    /// <summary>A server that follows the primary at first.</summary>
    Replica,

    /// <summary>A Sentinel: watches the servers, elects a new primary, tells clients where it is.</summary>
    Sentinel,

    /// <summary>An independent server for Redlock: no replica, unknown to Sentinel.</summary>
    LockNode,
}
