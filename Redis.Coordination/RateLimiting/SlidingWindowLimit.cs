using System.Threading.RateLimiting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// So many permits in a window of any position: never more than <see cref="PermitLimit"/> within <see cref="Window"/>. Permits are counted
/// in segments, and come back when their segment has wholly left the window, so late by one segment at most: with 100 segments a caller
/// that takes all it can gets 99% of the limit. One hash for each partition, of as many fields as there are segments in use.
/// </summary>
public sealed record SlidingWindowLimit : TimedRateLimit
{
    private static readonly RedisScript s_script = RedisScript.Load<SlidingWindowLimit>("sliding-window");

    /// <summary>Permits of a window. At least 1.</summary>
    public required int PermitLimit { get; init; }

    /// <summary>How long the window is. 10 ms to 366 days.</summary>
    public required TimeSpan Window { get; init; }

    /// <summary>
    /// Into how many the window is divided: 1 to 1000, each of at least 1 ms. Default 100, or fewer for a window below 100 ms.
    /// </summary>
    public int? Segments { get; init; }

    internal override RedisScript Script => s_script;

    internal override int MaxPermits => PermitLimit;

    internal override TimeSpan? Span => Window;

    private int SegmentCount => Segments ?? (int)Math.Clamp(Window.TotalMilliseconds, 1, 100);

    internal override RedisValue[] Arguments(int permits, RedisValue last)
        => [permits, PermitLimit, Microseconds(Window), SegmentCount, last];

    internal override RateLimiter CreateLocal()
        => new SlidingWindowRateLimiter(new SlidingWindowRateLimiterOptions
        {
            PermitLimit = LocalPermits,
            Window = Window,
            // It has a timer for each.
            SegmentsPerWindow = Math.Min(SegmentCount, 10),
        });

    internal override void Validate()
    {
        base.Validate();
        Check(nameof(PermitLimit), PermitLimit, PermitLimit >= 1, "must be at least 1");
        CheckPeriod(nameof(Window), Window);
        Check(nameof(Segments), Segments, Segments is null || (Segments is >= 1 and <= 1000 && Segments <= Window.TotalMilliseconds),
            "must be between 1 and 1000, each of at least 1 ms");
    }
}
