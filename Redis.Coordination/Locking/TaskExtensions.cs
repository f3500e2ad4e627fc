namespace AspireRedis.Coordination.Locking;

/// <summary>Waits with a bound.</summary>
internal static class TaskExtensions
{
    /// <summary>Waits for a task that does not fail; false when that took too long.</summary>
    public static async Task<bool> CompletesWithinAsync(
        this Task task, TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(atMost, clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
