using AspireRedis.Coordination;

namespace AspireRedis.Benchmarks.Availability;

internal static class Scripts
{
    /// <summary>
    /// Adds a member to a set, so that acknowledged writes can be looked up afterwards. Not declared repeatable, although it
    /// is: a retry must not hide a lost answer.
    /// </summary>
    public static readonly RedisScript Add = RedisScript.Load(typeof(Scripts), "add");
}
