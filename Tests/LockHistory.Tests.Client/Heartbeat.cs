namespace AspireRedis.LockHistory.Client;

/// <summary>
/// Notes when this process did not run for a while, frozen or starved: it cannot have confirmed in time then what it was
/// handed over.
/// </summary>
internal static class Heartbeat
{
    private const long WorthNoting = 100_000_000;

    private static readonly TimeSpan s_beat = TimeSpan.FromMilliseconds(25);

    public static async Task RunAsync(HistoryLog log, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_beat);
        var last = HistoryLog.Now;
        while (!stopping.IsCancellationRequested)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            var now = HistoryLog.Now;
            if (now - last > WorthNoting)
            {
                log.Write(new HistoryEvent(now, HistoryEventKind.Stalled) { From = last });
            }
            last = now;
        }
    }
}
