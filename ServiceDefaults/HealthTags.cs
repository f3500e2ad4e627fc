namespace AspireRedis.ServiceDefaults;

/// <summary>Tags of health checks.</summary>
public static class HealthTags
{
    /// <summary>The process is working. When such a check fails, a restart helps.</summary>
    public const string Live = "live";

    /// <summary>Dependencies are available. When such a check fails, a restart does not help.</summary>
    public const string Ready = "ready";
}
