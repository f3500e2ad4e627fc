namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Counting semaphores across processes: at most a given number hold a permit of a name at a time.
/// <c>AddRedisCoordination</c> registers <see cref="SemaphoreProvider"/> as this. Safe for concurrent use.
/// </summary>
public interface ISemaphoreProvider
{
    /// <summary>Semaphores with <paramref name="permits"/> permits each.</summary>
    /// <param name="permits">1 to <see cref="SemaphoreProvider.MaxPermits"/>; the same for all clients of a name.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one or more than <see cref="SemaphoreProvider.MaxPermits"/>.</exception>
    /// <exception cref="ObjectDisposedException">The provider is disposed.</exception>
    ILeaseProvider WithPermits(int permits);
}
