namespace AspireRedis.Orders.Insight;

/// <summary>The inside of the system at one moment: <c>GET /system</c>. For people, not for programs to decide by.</summary>
/// <param name="IsRedisReached">Whether the primary has answered within the last second or so; what is below may be old otherwise.</param>
/// <param name="Leases">The leases of the first products, in the order of <c>GET /products</c>: at most 20.</param>
/// <param name="Groups">The consumer groups of both streams.</param>
/// <param name="Servers">The servers, the primary first; in a cluster shard by shard.</param>
/// <param name="Sentinels">How many Sentinels answer this instance; null without Sentinels.</param>
/// <param name="Failover">The last change of the primary that this instance has seen; null before the first.</param>
/// <param name="Region">The regions, as the servers of this one know them; null without regions.</param>
public sealed record SystemSnapshot(
    bool IsRedisReached, IReadOnlyList<LeaseView> Leases, IReadOnlyList<GroupView> Groups, IReadOnlyList<ServerView> Servers,
    int? Sentinels, FailoverView? Failover, RegionView? Region);

/// <summary>The lease of a product.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Lease">Its name: <c>inventory_lock:{sku}</c>.</param>
/// <param name="Holder">The process that has it, by the first characters of its id; null when it is free.</param>
/// <param name="FencingToken">The fencing token of the holder.</param>
/// <param name="Waiting">How many wait for it now.</param>
/// <param name="MostWaiting">The most that were seen to wait within the last ten seconds.</param>
/// <param name="LastFencingToken">The last token that was given out: it rises whenever somebody asks for the lease.</param>
public sealed record LeaseView(
    string Sku, string Lease, string? Holder, long? FencingToken, long Waiting, long MostWaiting, long LastFencingToken);

/// <summary>A consumer group.</summary>
/// <param name="Stream">The stream, or the topic of several.</param>
/// <param name="Group">The group.</param>
/// <param name="Lag">Entries that were not delivered yet; null while the server does not know.</param>
/// <param name="Pending">Entries that were delivered and are not acknowledged.</param>
/// <param name="Consumers">How many consumers it has, living and dead.</param>
/// <param name="DeadLetters">Dead letters of the stream, of all its groups.</param>
public sealed record GroupView(string Stream, string Group, long? Lag, long Pending, long Consumers, long DeadLetters);

/// <summary>A server.</summary>
/// <param name="Address"><c>host:port</c>.</param>
/// <param name="Role"><c>primary</c> or <c>replica</c>; of one that is gone what it was.</param>
/// <param name="State">
/// <c>up</c>; <c>syncing</c>: a replica that is given a copy; <c>gone</c>: one that was seen and that the primary does not list any more.
/// </param>
/// <param name="LagBytes">Of a replica: what it has not acknowledged.</param>
/// <param name="Shard">Its shard in a cluster, from 1; null without one.</param>
/// <param name="Slots">Of a primary in a cluster: its slots, as Redis writes them.</param>
public sealed record ServerView(string Address, string Role, string State, long? LagBytes, int? Shard = null, string? Slots = null);

/// <summary>A change of the primary.</summary>
/// <param name="Kind"><c>failover</c>, or <c>switchover</c>: a planned one.</param>
/// <param name="From">The primary before.</param>
/// <param name="To">The primary since.</param>
/// <param name="At">When the new one was followed.</param>
/// <param name="IsOver">Whether the blackout is measured.</param>
/// <param name="BlackoutMilliseconds">How long it held this instance up; null when it did not, and before it is over.</param>
public sealed record FailoverView(string Kind, string From, string To, DateTimeOffset At, bool IsOver, double? BlackoutMilliseconds);

/// <summary>The regions.</summary>
/// <param name="Name">The region of this instance.</param>
/// <param name="IsActive">Whether it accepts orders.</param>
/// <param name="ActiveRegion">The active region, as far as is known.</param>
/// <param name="Epoch">Its epoch.</param>
public sealed record RegionView(string Name, bool IsActive, string? ActiveRegion, long Epoch);
