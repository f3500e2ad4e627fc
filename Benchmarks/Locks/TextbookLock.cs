namespace AspireRedis.Benchmarks.Locks;

/// <summary>The two scripts of the Redis documentation: no queue, no fencing token.</summary>
internal static class TextbookLock
{
    public const string SetIfFree = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])";
    public const string DeleteIfOwn = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";
}
