using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Resources;

/// <summary>Properties of resources as the dashboard shows them.</summary>
internal static class ShownProperty
{
    public const string Role = "redis.role";
    public const string Primary = "redis.primary";
    public const string Frozen = "redis.frozen";
    public const string CutOff = "redis.cut_off";

    /// <summary>One that is shown without being asked for.</summary>
    public static ResourcePropertySnapshot Highlighted(string name, string display, object? value)
        => new(name, value) { DisplayName = display, IsHighlighted = true };

    /// <summary>The slots of a node of a cluster.</summary>
    public static ResourcePropertySnapshot Slots(IReadOnlyList<RedisSlotRange> slots)
        => Highlighted("redis.slots", "Slots", slots.Count == 0 ? "none" : Text(slots));

    /// <summary>As Redis writes them: <c>0-5460,5462</c>.</summary>
    public static string Text(IReadOnlyList<RedisSlotRange> slots) => string.Join(',', slots);

    public static ResourcePropertySnapshot Flag(string name, string display, bool value) => new(name, value) { DisplayName = display };
}
