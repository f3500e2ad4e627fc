using AspireRedis.Coordination;

namespace AspireRedis.Benchmarks.Availability;

internal static class Scripts
{
    /// <summary>Adds a member to a set: what was acknowledged can be looked for afterwards. Not said to be repeatable, though it is: nothing may hide a lost answer.</summary>
    public static readonly RedisScript Add = RedisScript.Load(typeof(Scripts), "add");
}
