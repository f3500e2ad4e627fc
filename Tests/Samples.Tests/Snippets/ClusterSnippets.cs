using AspireRedis.Coordination;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/cluster.md, and of Redis.Topology/README.md what is about a cluster.</summary>
internal static class ClusterSnippets
{
    public static async Task ConnectAsync()
    {
        #region connect
        await using var deployment = await RedisDeployment.ConnectAsync("10.0.0.1:6379,10.0.0.2:6379,topology=cluster,password=...");
        #endregion
    }

    public static async Task ForceAsync()
    {
        #region forced
        await using var deployment = await RedisDeployment.ConnectAsync("10.0.0.1:6379,topology=cluster,failover=forced,password=...");
        #endregion
    }

    public static void Add(IServiceCollection services)
    {
        #region add
        services.AddRedisClusterCoordination(_ => ConfigurationOptions.Parse("10.0.0.1:6379,10.0.0.2:6379,password=..."));
        #endregion
    }

    public static async Task SwitchOverAsync(ILogger<ClusterSwitchover> logger)
    {
        #region switchover
        var switchover = new ClusterSwitchover(ConfigurationOptions.Parse("10.0.0.1:6379"), logger);
        PlannedSwitchoverResult result = await switchover.RunAsync("orders:{5}");   // the shard that has this key
        #endregion
        Console.WriteLine(result.To);
    }

    public static async Task FormAsync(string directory)
    {
        #region form
        var cluster = RedisClusterTopology.Create(new RedisClusterOptions { Primaries = 3, ReplicasPerPrimary = 1 });
        foreach (var node in cluster.Nodes)
        {
            cluster.WriteConfiguration(node, directory);   // start redis-server with each of these files
        }
        await cluster.FormAsync(TimeSpan.FromMinutes(1));
        #endregion
    }
}
