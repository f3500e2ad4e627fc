namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Shows that this instance lives, and learns which partitions are its share. Nobody leads: whoever comes first after an instance has
/// come or gone has the script divide them anew.
/// </summary>
internal sealed class GroupMembership(
    RedisDeployment deployment, string topic, StreamPartitions partitions, ConsumerGroupOptions options, string consumer)
{
    private static readonly RedisScript s_divide = RedisScript.Load<GroupMembership>("divide-partitions", repeatable: true);

    private readonly string _instance = Guid.NewGuid().ToString("N");
    private readonly string _key = StreamKeys.MembersOf(topic, options.Group);

    /// <summary>Shows a sign of life; whoever shows none for MinIdle is gone.</summary>
    /// <returns>The numbers of its partitions.</returns>
    public async Task<IReadOnlySet<int>> RenewAsync(CancellationToken cancellationToken)
        => ((int[])(await CallAsync(leaving: false, cancellationToken))!).ToHashSet();

    public Task LeaveAsync(CancellationToken cancellationToken) => CallAsync(leaving: true, cancellationToken);

    private Task<StackExchange.Redis.RedisResult> CallAsync(bool leaving, CancellationToken cancellationToken)
        => deployment.EvaluateAsync(s_divide, [_key],
            [_instance, consumer, partitions.Count, (long)options.MinIdle.TotalMilliseconds, leaving], cancellationToken);
}
