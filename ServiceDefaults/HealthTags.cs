namespace AspireRedis.ServiceDefaults;

/// <summary>Tags of health checks.</summary>
public static class HealthTags
{
    /// <summary>The process works; when such a check fails, a restart helps.</summary>
    public const string Live = "live";

    /// <summary>What the service needs from others is there; a restart would not help.</summary>
    public const string Ready = "ready";
}
