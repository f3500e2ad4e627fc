using Aspire.Hosting.ApplicationModel;

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

    public static ResourcePropertySnapshot Flag(string name, string display, bool value) => new(name, value) { DisplayName = display };
}
