using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Cluster;

/// <summary>A cluster for classes that kill nothing and move nothing.</summary>
[CollectionDefinition(Name)]
public sealed class SharedClusterCollection : ICollectionFixture<ClusterFixture>
{
    public const string Name = "shared cluster";
}
