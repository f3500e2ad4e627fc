using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of Redis.Hosting/README.md and docs/cluster.md that is not in a sample.</summary>
internal static class HostingSnippets
{
    public static void Options(IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> api)
    {
        #region redlock-nodes
        var locks = builder.AddRedlockNodes("locks", 5);
        api.WithReference(locks).WaitFor(locks);
        #endregion
    }

    public static void Cluster(IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> api)
    {
        #region redis-cluster
        var cluster = builder.AddRedisCluster("redis").WithPrimaries(3).WithReplicas(1);
        api.WithReference(cluster).WaitFor(cluster);
        #endregion
    }

    public static void Regions(IDistributedApplicationBuilder builder, IResourceBuilder<RedisSentinelResource> redis,
        IResourceBuilder<ProjectResource> agent, IResourceBuilder<ProjectResource> agentOfStandby, IResourceBuilder<ProjectResource> api,
        IResourceBuilder<ProjectResource> apiOfStandby)
    {
        #region regions
        var witnesses = builder.AddRedlockNodes("witnesses", 3);
        var regions = redis.WithStandbyRegion("eu", witnesses, activeRegion: "us").WithLink(latency: TimeSpan.FromMilliseconds(40));
        agent.WithRegionControl(regions, standby: false);
        agentOfStandby.WithRegionControl(regions, standby: true);
        api.WithRegion(regions, standby: false);
        apiOfStandby.WithRegion(regions, standby: true);
        #endregion
    }

    public static void Publishing(IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> api)
    {
        #region published
        IResourceBuilder<IResourceWithConnectionString> redis = builder.ExecutionContext.IsPublishMode
            ? builder.AddConnectionString("redis")
            : builder.AddRedisSentinel("redis").WithPassword().WithDataVolume();
        api.WithReference(redis);
        #endregion
    }
}
