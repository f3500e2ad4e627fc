namespace AspireRedis.Coordination.Locking;

/// <summary>How long a holder may believe in its lease.</summary>
internal static class LeaseValidity
{
    /// <summary>
    /// When a lease that was asked for at <paramref name="asked"/> is over by the local clock. The allowance for clock
    /// drift is that of the Redis documentation on Redlock: 1% of the TTL and 2 ms for the precision of expiry.
    /// </summary>
    public static long Until(TimeProvider clock, long asked, TimeSpan ttl)
    {
        var validity = ttl - (ttl * 0.01) - TimeSpan.FromMilliseconds(2);
        return asked + (long)(validity.TotalSeconds * clock.TimestampFrequency);
    }
}
