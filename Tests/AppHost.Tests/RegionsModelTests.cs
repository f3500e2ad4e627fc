using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Coordination.Regions;
using AspireRedis.Hosting;
using AspireRedis.Hosting.Regions;
using AspireRedis.Hosting.Resources;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>What is composed of two regions, without starting anything.</summary>
public sealed class RegionsModelTests
{
    [Fact]
    public async Task With_regions_everything_is_there_twice_and_one_agent_works_for_each()
    {
        await using var app = await BuildAsync("--Redis:Mode=executable", "--Redis:Regions=true");

        var regions = Assert.Single(app.Resources.OfType<RedisRegionsResource>());
        Assert.Equal(("redis-regions", "us", "eu"), (regions.Name, regions.ActiveRegion, regions.StandbyRegion));
        Assert.Equal(["redis-redis-1", "redis-redis-2", "redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"],
            regions.Active.Nodes.Select(n => n.Name));
        Assert.Equal(regions.Active.Nodes.Select(n => n.Name.Replace("redis-", "redis-eu-", StringComparison.Ordinal)
            .Replace("redis-eu-redis-eu-", "redis-eu-redis-", StringComparison.Ordinal)), regions.Standby.Nodes.Select(n => n.Name));
        Assert.Equal(("shop", "shop-eu"), (regions.Active.Options.ServiceName, regions.Standby.Options.ServiceName));
        Assert.Equal(3, regions.Witnesses.Nodes.Count);
        Assert.Equal(
            ["inventory-api", "inventory-api-eu", "notifications-worker", "notifications-worker-eu", "orders-api", "orders-api-eu",
                "region-agent-eu", "region-agent-us"],
            app.Resources.OfType<ProjectResource>().Select(p => p.Name).Order());
        // The head finds a primary to replicate from.
        Assert.Contains(regions.Standby.Nodes[0].Annotations.OfType<WaitAnnotation>(), w => w.Resource == regions.Active.Nodes[0]);
        Assert.EndsWith(",serviceName=shop,user=app,password={redis-secret.app}", regions.Active.ConnectionStringExpression.ValueExpression,
            StringComparison.Ordinal);
        Assert.EndsWith(",serviceName=shop-eu,user=app,password={redis-eu-secret.app}",
            regions.Standby.ConnectionStringExpression.ValueExpression, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Redis:Regions is for a Sentinel deployment", "--Redis:Topology=single")]
    [InlineData("Redis:KeepData do not go together", "--Redis:Mode=executable", "--Redis:KeepData=true")]
    [InlineData("Redis:LinkLatency is", "--Redis:Mode=executable", "--Redis:LinkLatency=00:01:00")]
    public async Task What_regions_do_not_go_together_with_is_refused_by_its_name(string message, params string[] settings)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => BuildAsync(["--Redis:Regions=true", .. settings]));
        Assert.Contains(message, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_deployment_has_one_standby_with_another_name_and_no_password_of_its_own()
    {
        var builder = OwnModel.Create("executable");
        var witnesses = builder.AddRedlockNodes("witnesses", 3);
        var redis = builder.AddRedisSentinel("data").WithReplicas(1);
        Assert.Throws<ArgumentException>(() => redis.WithStandbyRegion("home", witnesses));
        Assert.Throws<ArgumentOutOfRangeException>(() => redis.WithStandbyRegion("eu", witnesses).WithLink(TimeSpan.FromSeconds(-1)));
        Assert.Throws<InvalidOperationException>(() => redis.WithStandbyRegion("asia", witnesses));
        Assert.Throws<InvalidOperationException>(
            () => builder.AddRedisSentinel("other").WithPassword().WithStandbyRegion("eu", witnesses));
        Assert.Throws<InvalidOperationException>(
            () => builder.AddRedisSentinel("alone").WithSentinels(0).WithStandbyRegion("eu", witnesses));
        Assert.Equal(1, Assert.Single(builder.Resources.OfType<RedisRegionsResource>()).Standby.Options.Replicas);
    }

    [Theory]
    [InlineData("us", "us", ResourceCommandState.Disabled)]
    [InlineData("us", "none", ResourceCommandState.Enabled)]
    [InlineData("none", "none", ResourceCommandState.Disabled)]
    public async Task A_promotion_is_offered_once_the_lease_of_the_active_region_is_over(string active, string holder,
        ResourceCommandState expected)
    {
        await using var app = await BuildAsync("--Redis:Mode=executable", "--Redis:Regions=true");
        var promote = Assert.Single(app.Resources.OfType<RedisRegionsResource>().Single().Annotations.OfType<ResourceCommandAnnotation>(),
            c => c.Name == "promote");
        Assert.NotNull(promote.ConfirmationMessage);
        var snapshot = new CustomResourceSnapshot
        {
            ResourceType = "Redis regions",
            Properties = [new("redis.region.active", active), new("redis.region.holder", holder)],
        };
        using var services = new ServiceCollection().BuildServiceProvider();
        Assert.Equal(expected, promote.UpdateState(new UpdateCommandStateContext { ResourceSnapshot = snapshot, Services = services }));
    }

    [Theory]
    [InlineData("eu", false, "10.0.0.1:6379", null, ResourceCommandState.Enabled)]
    [InlineData("eu", true, "10.0.0.1:6379", null, ResourceCommandState.Disabled)]
    // Its line is cut, or it is not reached, or nobody may write at all.
    [InlineData("eu", false, "10.0.0.1:6379", 30.0, ResourceCommandState.Disabled)]
    [InlineData("eu", false, null, null, ResourceCommandState.Disabled)]
    [InlineData(null, false, "10.0.0.1:6379", null, ResourceCommandState.Disabled)]
    public async Task A_failback_is_offered_where_a_region_that_was_lost_is_back_and_follows_nobody(string? holder, bool isInSync,
        string? head, double? silent, ResourceCommandState expected)
    {
        var status = new RegionStatus("eu", 2, holder, 3, 3,
        [
            new RegionReport("eu", true, "10.0.0.2:6379", 2, 2, 3, false, null, null),
            new RegionReport("us", false, head, 2, 2, 0, isInSync, null, silent is { } s ? TimeSpan.FromSeconds(s) : null),
        ]);
        await using var app = await BuildAsync("--Redis:Mode=executable", "--Redis:Regions=true");
        var failback = Assert.Single(app.Resources.OfType<RedisRegionsResource>().Single().Annotations.OfType<ResourceCommandAnnotation>(),
            c => c.Name == "failback");
        Assert.NotNull(failback.ConfirmationMessage);
        var snapshot = new CustomResourceSnapshot
        {
            ResourceType = "Redis regions",
            Properties = [ShownProperty.Flag(RegionProperty.CanFailBack, "", RegionsWatcher.CanFailBack(status))],
        };
        using var services = new ServiceCollection().BuildServiceProvider();
        Assert.Equal(expected, failback.UpdateState(new UpdateCommandStateContext { ResourceSnapshot = snapshot, Services = services }));
    }

    private static async Task<IDistributedApplicationTestingBuilder> BuildAsync(params string[] args)
        => await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(args);
}
