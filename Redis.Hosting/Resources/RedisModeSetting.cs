using Microsoft.Extensions.Configuration;

namespace AspireRedis.Hosting.Resources;

/// <summary>The setting that chooses a <see cref="RedisMode"/>.</summary>
internal static class RedisModeSetting
{
    public const string Key = "Redis:Mode";

    /// <exception cref="InvalidOperationException">It is none of auto, container and executable.</exception>
    public static RedisMode Read(IConfiguration configuration)
    {
        var setting = configuration[Key];
        return Enum.TryParse(string.IsNullOrWhiteSpace(setting) ? nameof(RedisMode.Auto) : setting, ignoreCase: true, out RedisMode mode)
            && Enum.IsDefined(mode)
            ? mode
            : throw new InvalidOperationException($"{Key} is '{setting}'; it must be auto, container or executable.");
    }
}
