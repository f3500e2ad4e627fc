using System.Threading.RateLimiting;
using AspireRedis.Coordination.Locking;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// So many permits at the same time, in all processes together. Dispose the lease to give them back. They are renewed while they are held,
/// and those of a process that died come back with <see cref="LeaseTtl"/>. Who waits hears by message that its permits are free: the queue
/// is in Redis, first come first served among all processes.
/// </summary>
public sealed record ConcurrencyLimit : RedisRateLimit
{
    /// <summary>The most that <see cref="PermitLimit"/> may be.</summary>
    public const int HighestPermitLimit = 100_000;

    /// <summary>How many permits are held at the same time. 1 to <see cref="HighestPermitLimit"/>.</summary>
    public required int PermitLimit { get; init; }

    /// <summary>
    /// After what time the permits of a process that died come back, 100 ms to an hour. Default 10 s. Renewed at a third of it.
    /// </summary>
    public TimeSpan LeaseTtl { get; init; } = TimeSpan.FromSeconds(10);

    internal override int MaxPermits => PermitLimit;

    internal override TimeSpan? Span => null;

    internal override RateLimiter CreateLocal()
        => new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = LocalPermits });

    internal override void Validate()
    {
        base.Validate();
        Check(nameof(PermitLimit), PermitLimit, PermitLimit is >= 1 and <= HighestPermitLimit, $"must be between 1 and {HighestPermitLimit}");
        Check(nameof(LeaseTtl), LeaseTtl, LeaseTtl >= TimeSpan.FromMilliseconds(100) && LeaseTtl <= LeaseOptions.MaxTtl,
            $"must be between 100 ms and {LeaseOptions.MaxTtl}");
    }
}
