namespace AspireRedis.Puppet.Contending;

/// <summary>
/// Notes when this process did not run for a while, frozen or starved: it cannot have confirmed in time then what it was
/// handed over.
/// </summary>
internal static class StallDetector
{
    private const long Threshold = 100_000_000;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(25);

    public static async Task RunAsync(HistoryLog log, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_interval);
        var last = HistoryLog.Now;
        while (!stopping.IsCancellationRequested)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            var now = HistoryLog.Now;
            if (now - last > Threshold)
            {
                log.Write(new HistoryEvent(now, HistoryEventKind.Stalled) { From = last });
            }
            last = now;
        }
    }
}
