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
    private static readonly RedisScript s_describe = RedisScript.Load<StreamGroups>("describe-group", repeatable: true);

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
