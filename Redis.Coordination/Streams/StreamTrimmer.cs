using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Removes old entries that no group needs any more: never an entry that is pending or that some group has not received
/// yet, however old it is. One script computes the bound and removes, so nothing is delivered in between.
/// </summary>
/// <remarks>
/// A stream without a group is not trimmed: nobody has read it yet. An abandoned group blocks trimming until it is
/// deleted with <see cref="StreamGroups.DeleteAsync"/>; its growing lag shows it. Safe for concurrent use.
/// </remarks>
public sealed class StreamTrimmer
{
    private static readonly RedisScript s_trim = RedisScript.Load<StreamTrimmer>("trim", repeatable: true);
    private static readonly RedisScript s_delete = RedisScript.Load<StreamTrimmer>("delete-handled", repeatable: true);

    // Each takes the server a few microseconds.
    private const int MaxPerScript = 500;

    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public StreamTrimmer(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>The same for all partitions of a topic, one after the other.</summary>
    /// <inheritdoc cref="TrimAsync(string, TimeSpan, CancellationToken)" path="/exception"/>
    public async Task<long> TrimAsync<T>(StreamTopic<T> topic, TimeSpan keepFor, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        long removed = 0;
        foreach (var partition in topic.AllPartitions)
        {
            removed += await TrimAsync(partition.Key, keepFor, cancellationToken);
        }
        return removed;
    }

    /// <summary>Removes entries that are older than <paramref name="keepFor"/> and handled by every group.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="keepFor">
    /// How long handled entries are kept, for a replay; zero removes them as soon as possible. Up to a hundred more entries
    /// may stay, since the server removes whole blocks.
    /// </param>
    /// <param name="cancellationToken">Ends it; a step that was sent may be made all the same.</param>
    /// <returns>How many were removed; fewer are counted when an answer was lost.</returns>
    /// <exception cref="RedisUnavailableException">No primary took it in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">Answers were lost until the time was over; entries may have been removed.</exception>
    public async Task<long> TrimAsync(string stream, TimeSpan keepFor, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(keepFor, TimeSpan.Zero);
        // In steps, each of which blocks the server for a few milliseconds at most.
        for (long removed = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var step = (long)await _deployment.EvaluateAsync(s_trim, [stream], [(long)keepFor.TotalMilliseconds], cancellationToken);
            if (step == 0)
            {
                return removed;
            }
            removed += step;
        }
    }

    /// <summary>
    /// Deletes single entries, as what has to be forgotten before its time, and of these only what every group has handled: the others
    /// go when they have.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="entryIds">The ids; those that do not exist do no harm.</param>
    /// <param name="cancellationToken">Ends it; what was sent may be done all the same.</param>
    /// <returns>The ids of entries that a group has not received or not acknowledged yet; all, when there is no group.</returns>
    /// <exception cref="ArgumentException">One is not an entry id.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">Answers were lost until the time was over; entries may have been deleted.</exception>
    public async Task<IReadOnlyList<string>> DeleteHandledAsync(
        string stream, IReadOnlyCollection<string> entryIds, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentNullException.ThrowIfNull(entryIds);
        List<string> stay = [];
        foreach (var some in entryIds.Select(StreamEntryId.Normalise).Chunk(MaxPerScript))
        {
            stay.AddRange((string[])(await _deployment.EvaluateAsync(
                s_delete, [stream], [.. some.Select(id => (RedisValue)id)], cancellationToken))!);
        }
        return stay;
    }
}
