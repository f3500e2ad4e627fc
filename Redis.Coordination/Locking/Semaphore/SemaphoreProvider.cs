using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking.Permits;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// A counting semaphore across processes: at most a given number hold a permit of a name at a time, such as calls to a
/// supplier that takes five at once.
/// </summary>
/// <remarks>
/// Fair: permits are given in the order of arrival. A permit is a <see cref="Lease"/>: it is renewed, announces its loss,
/// and a holder that dies gives it up with its TTL.
/// Fencing: <see cref="Lease.Permit"/> numbers the permits, and tokens rise strictly for each number. Permits are held
/// beside one another, so a store that several of them write to keeps the highest token it has seen for each number.
/// The number of permits is not stored: all clients of a name must use the same, or each admits up to its own.
/// Otherwise as <see cref="SharedLeaseProvider"/>. Safe for concurrent use.
/// </remarks>
public sealed class SemaphoreProvider : IAsyncDisposable
{
    /// <summary>The most permits that a semaphore may have: each look examines those that are held.</summary>
    public const int MaxPermits = 1000;

    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;
    private readonly LeaseTelemetry _telemetry;
    private readonly ConcurrentDictionary<int, PermitLeases> _byLimit = new();
    private volatile bool _disposed;

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    public SemaphoreProvider(RedisDeployment deployment, TimeProvider clock, ILogger<SemaphoreProvider> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        _deployment = deployment;
        _clock = clock;
        _telemetry = new LeaseTelemetry("semaphore", logger);
    }

    /// <summary>Semaphores with <paramref name="permits"/> permits each.</summary>
    /// <param name="permits">1 to <see cref="MaxPermits"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one or more than <see cref="MaxPermits"/>.</exception>
    /// <exception cref="ObjectDisposedException">Disposed.</exception>
    public ILeaseProvider WithPermits(int permits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(permits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(permits, MaxPermits);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _byLimit.GetOrAdd(permits, limit => new PermitLeases(
            new LeaseQueue(_deployment, new PermitScripts(PermitMode.Shared, "semaphore", limit), _clock, _telemetry)));
    }

    /// <inheritdoc cref="RedisLeaseProvider.DisposeAsync"/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        await Task.WhenAll(_byLimit.Values.Select(leases => leases.DisposeAsync().AsTask()));
    }
}
