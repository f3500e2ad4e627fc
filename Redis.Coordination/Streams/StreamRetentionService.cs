using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>How long entries of a stream are kept.</summary>
public sealed class StreamRetentionOptions
{
    /// <summary>Handled entries older than this are removed. Null, the default, keeps all of them.</summary>
    public TimeSpan? KeepFor { get; set; }

    /// <summary>Dead letters of the stream older than this are deleted. Null, the default, keeps all of them.</summary>
    public TimeSpan? DeadLettersKeepFor { get; set; }

    /// <summary>
    /// Whether a dead letter that old may go; null, the default, for all. It is for those without which something would stay undone.
    /// </summary>
    public Func<DeadLetter, CancellationToken, ValueTask<bool>>? MayDeleteDeadLetter { get; set; }

    /// <summary>How often the stream is trimmed. Default 1 min.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(1);

    internal void Validate()
    {
        if (KeepFor is { } keepFor)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(keepFor, TimeSpan.Zero, nameof(KeepFor));
        }
        if (DeadLettersKeepFor is { } keepLetters)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(keepLetters, TimeSpan.Zero, nameof(DeadLettersKeepFor));
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(Interval, TimeSpan.FromMilliseconds(100), nameof(Interval));
    }
}

/// <summary>
/// Trims one stream, and its dead letters, while the host runs. Several instances may do so, at the cost of a script call each.
/// </summary>
internal sealed class StreamRetentionService(
    RedisDeployment deployment, StreamTrimmer trimmer, DeadLetters letters, string stream,
    StreamRetentionOptions options, TimeProvider clock, ILogger<StreamRetentionService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options is { KeepFor: null, DeadLettersKeepFor: null })
        {
            return;
        }
        using var timer = new PeriodicTimer(options.Interval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await deployment.WaitUntilActiveAsync(stoppingToken);
                    if (options.KeepFor is { } keepFor && await trimmer.TrimAsync(stream, keepFor, stoppingToken) is > 0 and var removed)
                    {
                        logger.LogInformation(
                            "Removed {Removed} entries of {Stream} that were handled and older than {KeepFor}.", removed, stream, keepFor);
                    }
                    if (options.DeadLettersKeepFor is { } keepLetters && await letters.RemoveOlderAsync(
                        stream, keepLetters, options.MayDeleteDeadLetter, stoppingToken) is > 0 and var deleted)
                    {
                        logger.LogWarning("Deleted {Deleted} dead letters of {Stream} that were older than {KeepFor}.", deleted, stream,
                            keepLetters);
                    }
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    logger.LogWarning("{Stream} could not be trimmed; the next attempt follows: {Reason}", stream, e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }
}
