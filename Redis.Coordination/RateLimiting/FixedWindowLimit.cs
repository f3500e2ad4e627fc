using System.Threading.RateLimiting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// So many permits for each window, which begins with its first permit. The cheapest to understand: across the border of two windows up to
/// twice the limit is given within one window's time.
/// </summary>
public sealed record FixedWindowLimit : TimedRateLimit
{
    private static readonly RedisScript s_script = RedisScript.Load<FixedWindowLimit>("fixed-window");

    /// <summary>Permits of a window. At least 1.</summary>
    public required int PermitLimit { get; init; }

    /// <summary>How long a window is. 10 ms to 366 days.</summary>
    public required TimeSpan Window { get; init; }

    internal override RedisScript Script => s_script;

    internal override int MaxPermits => PermitLimit;

    internal override TimeSpan? Span => Window;

    internal override RedisValue[] Arguments(int permits, RedisValue last) => [permits, PermitLimit, Microseconds(Window), last];

    internal override RateLimiter CreateLocal()
        => new FixedWindowRateLimiter(new FixedWindowRateLimiterOptions { PermitLimit = LocalPermits, Window = Window });

    internal override void Validate()
    {
        base.Validate();
        Check(nameof(PermitLimit), PermitLimit, PermitLimit >= 1, "must be at least 1");
        CheckPeriod(nameof(Window), Window);
    }
}
