using System.Threading.RateLimiting;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>A decision as the caller sees it.</summary>
internal sealed class DecidedLease(RedisRateLimit limit, RateLimitDecision decision, Action? onDispose = null) : RateLimitLease
{
    private Action? _onDispose = onDispose;

    public override bool IsAcquired => decision.IsPermitted;

    public override IEnumerable<string> MetadataNames
        => RetryAfter is null ? [RateLimitMetadata.Status.Name] : [RateLimitMetadata.Status.Name, MetadataName.RetryAfter.Name];

    private TimeSpan? RetryAfter => decision.IsPermitted ? null : decision.RetryAfter;

    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = metadataName == RateLimitMetadata.Status.Name ? Status()
            : metadataName == MetadataName.RetryAfter.Name ? RetryAfter
            : null;
        return metadata is not null;
    }

    protected override void Dispose(bool disposing)
    {
        Interlocked.Exchange(ref _onDispose, null)?.Invoke();
        base.Dispose(disposing);
    }

    private RateLimitStatus Status()
        => new(limit.Policy, decision.Source == RateLimitSource.Local ? limit.LocalPermits : limit.MaxPermits, limit.Span,
            decision.Remaining, decision.Reset, decision.Source);
}
