using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Health;

/// <summary>The address of a node in the column of URLs, with what the node is at the moment.</summary>
internal static class NodeUrl
{
    public static UrlSnapshot Of(RedisDeploymentResource deployment, RedisNode node, string text)
    {
        var address = deployment.ReachedAt(node);
        return new(RedisNodeEndpoint.Name, $"redis://{address}", IsInternal: false) { DisplayProperties = new($"{text} ({address})", 0) };
    }
}
