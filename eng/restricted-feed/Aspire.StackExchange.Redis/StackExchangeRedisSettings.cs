namespace Aspire.StackExchange.Redis;

/// <summary>Settings of the Redis client registered by <c>AddRedisClient</c>.</summary>
public sealed class StackExchangeRedisSettings
{
    /// <summary>The StackExchange.Redis configuration string.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Whether no health check is registered.</summary>
    public bool DisableHealthChecks { get; set; }

    /// <summary>Whether tracing is off. Without effect here: the stand-in has no tracing.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Whether the connection waits for its first use instead of being made while the host starts.</summary>
    public bool DisableAutoActivation { get; set; } = true;
}
