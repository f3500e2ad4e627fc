using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking.Permits;
using AspireRedis.Coordination.Locking.Queueing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Counting semaphores on the primary of a <see cref="RedisDeployment"/>: at most a given number hold a permit of a name at
/// a time, such as calls to a supplier that takes five at once.
/// </summary>
/// <remarks>
/// Fair: permits are given in the order of arrival. A permit is an <see cref="ILease"/>: it is renewed, announces its loss,
/// and a holder that dies gives it up with its TTL.
/// Fencing: <see cref="ILease.Permit"/> numbers the permits, and tokens rise strictly for each number. Permits are held
/// beside one another, so a store that several of them write to keeps the highest token it has seen for each number.
/// The number of permits is not stored: all clients of a name must use the same, or each admits up to its own.
/// Otherwise as <see cref="SharedLeaseProvider"/>. Safe for concurrent use.
/// </remarks>
public sealed class SemaphoreProvider : ISemaphoreProvider, IAsyncDisposable
{
    /// <summary>The most permits that a semaphore may have: each attempt examines those that are held.</summary>
    public const int MaxPermits = 1000;

    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;
    private readonly LeaseTelemetry _telemetry;
    private readonly ConcurrentDictionary<int, PermitLeases> _byLimit = new();
    private volatile bool _disposed;

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where the leases are.</param>
    /// <param name="clock">Measures waits and validity; null for the system's.</param>
    /// <param name="logger">Hears of leases that are lost or cannot be given back; null for nobody.</param>
    public SemaphoreProvider(RedisDeployment deployment, TimeProvider? clock = null, ILogger<SemaphoreProvider>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
        _clock = clock ?? TimeProvider.System;
        _telemetry = new LeaseTelemetry("semaphore", logger ?? NullLogger<SemaphoreProvider>.Instance);
    }

    /// <inheritdoc/>
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
