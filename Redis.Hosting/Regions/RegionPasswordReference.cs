using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Regions;

/// <summary>The password of a user of a region, which comes from the region's secret.</summary>
internal sealed class RegionPasswordReference(ParameterResource secret, string user) : IValueProvider, IManifestExpressionProvider
{
    public string ValueExpression => $"{{{secret.Name}.{user}}}";

    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default)
        => RedisRegionUsers.FromSecret((await secret.GetValueAsync(cancellationToken))!).PasswordOf(user);
}
