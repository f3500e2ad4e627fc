namespace AspireRedis.Coordination.Locking;

/// <summary>Waits with a bound.</summary>
internal static class TaskExtensions
{
    /// <summary>Until the signal has come; false when that took too long. For tasks that do not fail.</summary>
    public static async Task<bool> ComesWithinAsync(this Task signal, TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            await signal.WaitAsync(atMost, clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
