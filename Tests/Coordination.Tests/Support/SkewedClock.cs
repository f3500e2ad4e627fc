namespace AspireRedis.Coordination.Tests.Support;

/// <summary>A machine whose wall clock is wrong and whose monotonic clock is right.</summary>
internal sealed class SkewedClock(TimeSpan ahead) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
}
