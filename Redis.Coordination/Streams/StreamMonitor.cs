using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Measures how far every group of a stream is, also one that nobody runs: its consumers report nothing once they have
/// stopped, while what they have not read grows.
/// </summary>
internal sealed class StreamMonitor(StreamGroups groups, StreamPart part, TimeProvider clock, ILogger<StreamMonitor> logger)
    : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    private IReadOnlyList<string> _known = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, clock);
        try
        {
            do
            {
                try
                {
                    await LookAsync(stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // That Redis is away the connection says itself.
                    logger.LogDebug(e, "The groups of {Stream} cannot be looked after at the moment.", part.Key);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end.
        }
        finally
        {
            Forget(_known);
        }
    }

    private async Task LookAsync(CancellationToken stopping)
    {
        var names = await groups.NamesAsync(part.Key, stopping);
        foreach (var group in names)
        {
            if (await groups.DescribeAsync(part.Key, group, stopping) is { } status)
            {
                StreamMetrics.Report(part, group, status);
            }
        }
        Forget(_known.Except(names));
        _known = names;
    }

    private void Forget(IEnumerable<string> names)
    {
        foreach (var group in names)
        {
            StreamMetrics.Forget(part, group);
        }
    }
}
