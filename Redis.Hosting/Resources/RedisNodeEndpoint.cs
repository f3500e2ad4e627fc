using Aspire.Hosting.ApplicationModel;

namespace AspireRedis.Hosting.Resources;

/// <summary>The one endpoint of a node.</summary>
internal static class RedisNodeEndpoint
{
    public const string Name = "tcp";

    public static EndpointAnnotation Endpoint(this IRedisNodeResource node)
        => node.Annotations.OfType<EndpointAnnotation>().Single(e => e.Name == Name);

    /// <summary>The port on this machine.</summary>
    public static int HostPort(this IRedisNodeResource node) => node.Endpoint().Port!.Value;
}
