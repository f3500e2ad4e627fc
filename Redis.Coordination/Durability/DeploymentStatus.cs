using AspireRedis.Coordination.Failover;

namespace AspireRedis.Coordination;

/// <summary>The servers of a deployment, as its primary sees them. Immutable.</summary>
/// <param name="Primary">The primary that answered: <c>host:port</c>.</param>
/// <param name="Replicas">The replicas that are connected to it; one that is dead or cut off is not among them.</param>
/// <param name="Sentinels">How many Sentinels have answered this process within the last three seconds; null without Sentinels.</param>
/// <param name="LastFailover">The last change of the primary that this process has seen; null before the first.</param>
public sealed record DeploymentStatus(
    string Primary, IReadOnlyList<ReplicaStatus> Replicas, int? Sentinels, FailoverReport? LastFailover);

/// <summary>A shard of a cluster. Immutable.</summary>
/// <param name="Number">Its number in this process, from 1.</param>
/// <param name="Slots">Its slots, as Redis writes them: <c>0-5460,5462</c>; null without a cluster.</param>
/// <param name="Status">Its servers; null while its primary does not answer.</param>
public sealed record ShardStatus(int Number, string? Slots, DeploymentStatus? Status);

/// <summary>A replica, as its primary sees it. Immutable.</summary>
/// <param name="Address">Where it is, as it told its primary: <c>host:port</c>.</param>
/// <param name="IsInSync">Whether it has a copy and is sent what is written; false while it is given a copy.</param>
/// <param name="LagBytes">What it has not acknowledged of the replication stream.</param>
/// <param name="Lag">How long ago it acknowledged something, in whole seconds; replicas do so once a second.</param>
public sealed record ReplicaStatus(string Address, bool IsInSync, long LagBytes, TimeSpan Lag);
