using Aspire.Hosting;

namespace AspireRedis.Hosting;

/// <summary>Decides how the AppHost runs Redis.</summary>
public static class RedisModeBuilderExtensions
{
    /// <summary>The setting that overrides the choice.</summary>
    public const string ModeKey = "Redis:Mode";

    /// <summary>
    /// Whether Redis is to run in containers: as <see cref="ModeKey"/> says, else when a container engine answers. Nothing
    /// is asked for publishing, where neither runs.
    /// </summary>
    /// <exception cref="InvalidOperationException"><see cref="ModeKey"/> is none of auto, container and executable.</exception>
    public static bool RunsRedisInContainers(this IDistributedApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (builder.ExecutionContext.IsPublishMode)
        {
            return true;
        }
        var setting = builder.Configuration[ModeKey];
        if (!Enum.TryParse(string.IsNullOrWhiteSpace(setting) ? nameof(RedisMode.Auto) : setting, ignoreCase: true, out RedisMode mode)
            || !Enum.IsDefined(mode))
        {
            throw new InvalidOperationException($"{ModeKey} is '{setting}'; it must be auto, container or executable.");
        }
        return mode == RedisMode.Container || (mode == RedisMode.Auto && ContainerEngine.Find(builder.Configuration) is not null);
    }
}
