using Aspire.Hosting.ApplicationModel;

namespace AspireRedis.Hosting.Resources;

/// <summary>
/// Where this machine reaches the addresses that Sentinels, or the nodes of a cluster, give:
/// <c>10.0.0.10:6379=127.0.0.1:31001,...</c>, the text that
/// <c>EndpointMap.Parse</c> of Redis.Coordination reads. WithReference passes it as <c>NAME_ENDPOINTMAP</c>.
/// </summary>
internal sealed class EndpointMapReference(RedisDeploymentResource deployment) : IValueProvider, IManifestExpressionProvider
{
    public string ValueExpression => $"{{{deployment.Name}.endpointMap}}";

    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default)
    {
        await deployment.PreparedAsync(cancellationToken);
        return deployment.EndpointMap;
    }
}
