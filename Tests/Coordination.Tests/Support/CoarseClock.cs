namespace AspireRedis.Coordination.Tests.Support;

/// <summary>A monotonic clock of whole milliseconds, by which whatever is late is late by whole milliseconds.</summary>
internal sealed class CoarseClock : TimeProvider
{
    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Environment.TickCount64;
}
