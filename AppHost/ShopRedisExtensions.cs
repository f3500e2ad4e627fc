using AspireRedis.Contracts;
using AspireRedis.Hosting;
using Microsoft.Extensions.Configuration;

namespace AspireRedis.AppHost;

/// <summary>The Redis of the shop, as the settings say, and what services must know of it.</summary>
internal static class ShopRedisExtensions
{
    private const string TopologyKey = "Redis:Topology";
    private const string ModeKey = "Redis:Mode";
    private const int PartitionsOfCluster = 8;

    /// <summary>Reads the setting <c>Redis:Topology</c>.</summary>
    /// <exception cref="InvalidOperationException">
    /// It is none of sentinel, single and cluster, or single together with <c>Redis:Mode</c> executable, or there are regions, which are
    /// for Sentinel deployments.
    /// </exception>
    public static ShopTopology ReadTopology(this IConfiguration configuration)
    {
        var setting = configuration[TopologyKey];
        var topology = setting?.Trim().ToLowerInvariant() switch
        {
            null or "" or "sentinel" => ShopTopology.Sentinel,
            "single" or "cluster" when configuration.HasRegions() => throw new InvalidOperationException(
                $"{ShopRegionsExtensions.Key} is for a Sentinel deployment, and {TopologyKey} is '{setting}'."),
            "single" => ShopTopology.Single,
            "cluster" => ShopTopology.Cluster,
            _ => throw new InvalidOperationException($"{TopologyKey} is '{setting}'; it must be sentinel, single or cluster."),
        };
        return topology == ShopTopology.Single && string.Equals(configuration[ModeKey]?.Trim(), "executable",
            StringComparison.OrdinalIgnoreCase)
            ? throw new InvalidOperationException(
            $"{TopologyKey} is 'single', which runs in a container; {ModeKey} must be auto or container then, not executable.")
            : topology;
    }

    /// <summary>
    /// Reads the setting <c>Orders:Partitions</c>: 8 by default in a cluster, where orders and products must be divided, else 1.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is no such number, or 1 in a cluster.</exception>
    public static ShopPartitions ReadPartitions(this IConfiguration configuration, ShopTopology topology)
    {
        var setting = configuration[ShopPartitions.Setting];
        var onCluster = topology == ShopTopology.Cluster;
        var partitions = onCluster && string.IsNullOrWhiteSpace(setting)
            ? new ShopPartitions(PartitionsOfCluster) : ShopPartitions.Parse(setting);
        return !onCluster || partitions.Count > 1 ? partitions : throw new InvalidOperationException(
            $"{ShopPartitions.Setting} is 1, and {TopologyKey} is 'cluster': what one script writes must be in one slot, which partitions see to.");
    }

    /// <summary>Adds the resource <c>redis</c>. With <c>Redis:KeepData</c> data outlives the AppHost.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddShopRedis(this IDistributedApplicationBuilder builder,
        ShopTopology topology)
    {
        var keepsData = builder.Configuration.GetValue<bool>("Redis:KeepData");
        if (builder.ExecutionContext.IsPublishMode)
        {
            // What is published refers to a deployment that somebody operates.
            return builder.AddConnectionString("redis");
        }
        if (topology == ShopTopology.Single)
        {
            var single = builder.AddRedis("redis").WithRedisInsight();
            return keepsData ? single.WithDataVolume() : single;
        }
        if (topology == ShopTopology.Cluster)
        {
            var cluster = builder.AddRedisCluster("redis");
            return keepsData ? cluster.WithDataVolume() : cluster;
        }
        // Of each region one replica: everything is there twice.
        var sentinel = builder.AddRedisSentinel("redis").WithReplicas(builder.Configuration.HasRegions() ? 1 : 2).WithSentinels(3);
        return keepsData ? sentinel.WithDataVolume() : sentinel;
    }

    /// <summary>Where no replica could acknowledge a write, the services must not wait for one.</summary>
    /// <param name="service">A service of the shop.</param>
    /// <param name="topology">What it runs on.</param>
    /// <param name="section">The section of its configuration that has the setting <c>Durability</c>.</param>
    public static IResourceBuilder<ProjectResource> WithDurabilityOf(this IResourceBuilder<ProjectResource> service, ShopTopology topology,
        string section)
        => topology == ShopTopology.Single ? service.WithEnvironment($"{section}__Durability", "Memory") : service;
}
