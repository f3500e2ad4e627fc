using AspireRedis.Coordination.Locking.Permits;
using AspireRedis.Coordination.Locking.Queueing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// A reader/writer lock on the primary of a <see cref="RedisDeployment"/>: a lease that many may hold beside one another
/// (<see cref="Shared"/>, to read) or one alone (<see cref="Exclusive"/>, to change).
/// </summary>
/// <remarks>
/// Fair: served in the order of arrival. A reader that comes behind a waiting writer waits too, so a stream of readers
/// does not keep a writer out; readers next to one another in the queue come in together.
/// Fencing: all that share at a time have the same token. It is larger than the token of every exclusive holder before
/// them, and smaller than that of every one after them, so the check in <c>fencing.lua</c> refuses a holder of either
/// kind who was followed by another, and lets those who share write beside one another.
/// Its state lies beside the name (<c>{name}:shared:...</c>): it neither excludes a <see cref="RedisLeaseProvider"/> lease
/// nor a <see cref="SemaphoreProvider"/> permit of the same name. Ends of leases are kept in the clock of the primary; across a
/// failover the clocks of the servers may differ by what <see cref="LeaseOptions.Ttl"/> allows to lose.
/// Otherwise as <see cref="RedisLeaseProvider"/>. Safe for concurrent use.
/// </remarks>
public sealed class SharedLeaseProvider : ISharedLeaseProvider, IAsyncDisposable
{
    private readonly PermitLeases _shared;
    private readonly PermitLeases _exclusive;

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where the leases are.</param>
    /// <param name="clock">Measures waits and validity; null for the system's.</param>
    /// <param name="logger">Hears of leases that are lost or cannot be given back; null for nobody.</param>
    public SharedLeaseProvider(RedisDeployment deployment, TimeProvider? clock = null, ILogger<SharedLeaseProvider>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _shared = Create(PermitMode.Shared, "shared");
        _exclusive = Create(PermitMode.Exclusive, "exclusive");

        PermitLeases Create(PermitMode mode, string telemetryKind) => new(
            new LeaseQueue(
                deployment, new PermitScripts(mode, "shared", 0), clock ?? TimeProvider.System,
                new LeaseTelemetry(telemetryKind, logger ?? NullLogger<SharedLeaseProvider>.Instance)));
    }

    /// <inheritdoc/>
    public ILeaseProvider Shared => _shared;

    /// <inheritdoc/>
    public ILeaseProvider Exclusive => _exclusive;

    /// <inheritdoc cref="RedisLeaseProvider.DisposeAsync"/>
    public async ValueTask DisposeAsync()
    {
        await _shared.DisposeAsync();
        await _exclusive.DisposeAsync();
    }
}
