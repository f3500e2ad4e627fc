using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>How long entries of a stream are kept.</summary>
public sealed class StreamRetentionOptions
{
    /// <summary>Handled entries older than this are removed. Null, the default, keeps all of them.</summary>
    public TimeSpan? KeepFor { get; set; }

    /// <summary>How often the stream is trimmed. Default 1 min.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(1);

    internal void Validate()
    {
        if (KeepFor is { } keepFor)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(keepFor, TimeSpan.Zero, nameof(KeepFor));
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(Interval, TimeSpan.FromMilliseconds(100));
    }
}

/// <summary>Trims one stream while the host runs. Several instances may do so, at the cost of a script call each.</summary>
internal sealed class StreamRetentionService(
    StreamTrimmer trimmer, string stream, StreamRetentionOptions options, TimeProvider clock, ILogger<StreamRetentionService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.KeepFor is not { } keepFor)
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
                    if (await trimmer.TrimAsync(stream, keepFor, stoppingToken) is > 0 and var removed)
                    {
                        logger.LogInformation(
                            "Removed {Removed} entries of {Stream} that were handled and older than {KeepFor}.", removed, stream, keepFor);
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
