using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Administers consumer groups: state, creation for a replay, deletion.</summary>
/// <remarks>
/// Safe for concurrent use. All methods fail with <see cref="RedisUnavailableException"/> when no primary took the command in
/// time, and with <see cref="RedisOutcomeUnknownException"/> when the answer was lost: a group may have been created or
/// deleted then.
/// </remarks>
public sealed class StreamGroups
{
    private static readonly RedisScript s_describe = RedisScript.Load<StreamGroups>("describe-group", repeatable: true).ForAnyRegion();

    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public StreamGroups(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>Returns the state of a group; null when it does not exist.</summary>
    public async Task<StreamGroupStatus?> DescribeAsync(string stream, string group, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        var reply = (long[])(await _deployment.EvaluateAsync(
            s_describe, [stream, StreamTopic.DeadLettersOf(stream)], [group], cancellationToken))!;
        return reply.Length == 0
            ? null
            : new StreamGroupStatus(reply[0] < 0 ? null : reply[0], reply[1], reply[2] < 0 ? null : TimeSpan.FromMilliseconds(reply[2]),
                reply[3], reply[4]);
    }

    /// <summary>
    /// Returns the state of a group over all partitions of a topic: lag, pending entries and dead letters are sums, the age is that of
    /// the oldest, and the consumers are those of the partition that has most. Null when no partition has the group.
    /// </summary>
    public Task<StreamGroupStatus?> DescribeAsync<T>(StreamTopic<T> topic, string group, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        return DescribeAsync([.. topic.AllPartitions.Select(p => p.Key)], group, cancellationToken);
    }

    /// <summary>The same for the keys of the streams.</summary>
    internal async Task<StreamGroupStatus?> DescribeAsync(
        IReadOnlyList<string> streams, string group, CancellationToken cancellationToken)
    {
        var all = await Task.WhenAll(streams.Select(stream => DescribeAsync(stream, group, cancellationToken)));
        return all.OfType<StreamGroupStatus>().ToList() is { Count: > 0 } found
            ? found.Aggregate(static (sum, next) => new StreamGroupStatus(
                sum.Lag + next.Lag, sum.Pending + next.Pending,
                sum.OldestPendingAge is not { } age || next.OldestPendingAge > age ? next.OldestPendingAge ?? sum.OldestPendingAge : age,
                Math.Max(sum.Consumers, next.Consumers), sum.DeadLetters + next.DeadLetters))
            : null;
    }

    /// <summary>Returns the names of the groups of a stream; none when it does not exist.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(string stream, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        try
        {
            return [.. (await _deployment.RunAsync(
                stream, database => database.StreamGroupInfoAsync(stream, CommandFlags.DemandMaster), repeatable: true, cancellationToken))
                .Select(g => g.Name)];
        }
        catch (RedisServerException e) when (e.Message.StartsWith("ERR no such key", StringComparison.Ordinal))
        {
            return [];
        }
    }

    /// <summary>Returns the names of the groups that any partition of a topic has, each once and in alphabetical order.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync<T>(StreamTopic<T> topic, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        var names = await Task.WhenAll(topic.AllPartitions.Select(p => NamesAsync(p.Key, cancellationToken)));
        return [.. names.SelectMany(n => n).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>
    /// Creates a group that starts to read at <paramref name="from"/>, for a replay beside the groups that have handled the
    /// entries already. Run a <see cref="ConsumerGroup{T}"/> with that name, and delete the group after the replay: the
    /// trimmer keeps entries that it has not handled. Requeued dead letters of other groups are skipped.
    /// </summary>
    /// <returns>False when a group of that name exists; it is not changed.</returns>
    public async Task<bool> CreateAsync(string stream, string group, StartPosition from, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        try
        {
            return await _deployment.RunAsync(
                stream, database => database.StreamCreateConsumerGroupAsync(stream, group, from.AfterId, createStream: true),
                repeatable: false, cancellationToken);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            return false;
        }
    }

    /// <summary>Creates the group in all partitions of a topic. Where it exists it is not changed.</summary>
    /// <returns>False when it exists in all of them.</returns>
    public async Task<bool> CreateAsync<T>(
        StreamTopic<T> topic, string group, StartPosition from, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        var created = await Task.WhenAll(topic.AllPartitions.Select(p => CreateAsync(p.Key, group, from, cancellationToken)));
        return created.Contains(true);
    }

    /// <summary>Deletes the group and its pending entries lists in all partitions of a topic.</summary>
    /// <returns>Whether it existed in any of them.</returns>
    public async Task<bool> DeleteAsync<T>(StreamTopic<T> topic, string group, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        var deleted = await Task.WhenAll(topic.AllPartitions.Select(p => DeleteAsync(p.Key, group, cancellationToken)));
        return deleted.Contains(true);
    }

    /// <summary>Deletes the group and its pending entries list. An instance that is still running creates it again.</summary>
    /// <returns>Whether it existed.</returns>
    public async Task<bool> DeleteAsync(string stream, string group, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        try
        {
            return await _deployment.RunAsync(
                stream, database => database.StreamDeleteConsumerGroupAsync(stream, group), repeatable: false, cancellationToken);
        }
        catch (RedisServerException e)
            when (e.Message.StartsWith("ERR The XGROUP subcommand requires the key to exist", StringComparison.Ordinal))
        {
            return false;
        }
    }
}
