using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>Where a node listens.</summary>
/// <param name="Host">An IP address; Sentinel is told not to resolve names.</param>
/// <param name="Port">The TCP port.</param>
public readonly record struct RedisAddress(string Host, int Port)
{
    /// <summary><c>host:port</c>, with brackets around an IPv6 address.</summary>
    /// <returns>The text that connection strings use.</returns>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");
}
