using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Removes old entries of a stream that no group needs any more: never one that a group has not been given yet, nor one
/// that is pending, however old it is. Bound and removal are one script, so nothing is delivered in between.
/// </summary>
/// <remarks>
/// A stream without a group is not trimmed: nobody has read it yet. A group that nobody runs any more holds the stream
/// for ever; its lag shows it, and <see cref="StreamGroups.DeleteAsync"/> ends it. Safe for concurrent use.
/// </remarks>
public sealed class StreamTrimmer
{
    private static readonly RedisScript s_trim = RedisScript.Load<StreamTrimmer>("trim", repeatable: true);

    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public StreamTrimmer(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>Removes entries that are older than <paramref name="keepFor"/> and handled by every group.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="keepFor">For a replay; zero for as soon as possible. Up to a hundred entries more stay, for the server removes whole blocks.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <returns>How many were removed.</returns>
    /// <exception cref="RedisConnectionException">No connection.</exception>
    /// <exception cref="RedisTimeoutException">No reply in time.</exception>
    public async Task<long> TrimAsync(string stream, TimeSpan keepFor, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(keepFor, TimeSpan.Zero);
        // In steps that hold up the server for a few milliseconds.
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
}
