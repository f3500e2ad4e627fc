using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of Redis.Hosting/README.md that is not in a sample.</summary>
internal static class HostingSnippets
{
    public static void Options(IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> api)
    {
        #region redlock-nodes
        var locks = builder.AddRedlockNodes("locks", 5);
        api.WithReference(locks).WaitFor(locks);
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
