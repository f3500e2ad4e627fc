using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Hosting;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>What the AppHost composes, without starting anything.</summary>
public sealed class ModelTests
{
    [Fact]
    public async Task Executable_mode_has_a_whole_sentinel_deployment_and_orders_are_replicated()
    {
        await using var app = await BuildAsync("--Redis:Mode=executable");
        var resources = app.Resources;

        var redis = Assert.Single(resources.OfType<RedisSentinelResource>());
        Assert.Equal("redis", redis.Name);
        Assert.Equal(
            ["redis-redis-1", "redis-redis-2", "redis-redis-3", "redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"],
            resources.OfType<RedisNodeResource>().Select(n => n.Name).Order());
        Assert.All(resources.OfType<RedisNodeResource>(), node =>
        {
            Assert.Same(redis, node.Deployment);
            Assert.Contains(node.Annotations.OfType<HealthCheckAnnotation>(), _ => true);
        });
        var connectionString = await ((IResourceWithConnectionString)redis).GetConnectionStringAsync();
        Assert.EndsWith(",serviceName=shop", connectionString, StringComparison.Ordinal);
        Assert.All(redis.Topology.Sentinels, s => Assert.Contains(s.Address.ToString(), connectionString, StringComparison.Ordinal));
        Assert.Equal("Replica", await SettingAsync(app, "orders-api", "Orders__Durability"));
    }

    [Fact]
    public async Task Container_mode_has_one_server_with_a_data_volume_and_says_what_orders_survive()
    {
        await using var app = await BuildAsync("--Redis:Mode=container");

        var redis = Assert.Single(app.Resources.OfType<RedisResource>());
        Assert.Equal("redis", redis.Name);
        Assert.Contains(redis.Annotations.OfType<ContainerMountAnnotation>(), m => m is { Type: ContainerMountType.Volume, Target: "/data" });
        Assert.Empty(app.Resources.OfType<RedisNodeResource>());
        Assert.Equal("Memory", await SettingAsync(app, "orders-api", "Orders__Durability"));
        Assert.Equal("Memory", await SettingAsync(app, "inventory-api", "Reservations__Durability"));
        Assert.Equal("Memory", await SettingAsync(app, "notifications-worker", "Mail__Durability"));
    }

    [Theory]
    [InlineData("executable")]
    [InlineData("container")]
    public async Task Services_wait_for_what_they_need_and_are_watched_over_http(string mode)
    {
        await using var app = await BuildAsync($"--Redis:Mode={mode}");
        foreach (var (name, needs) in new[]
        {
            ("inventory-api", new[] { "redis" }),
            ("orders-api", ["redis", "inventory-api"]),
            ("notifications-worker", ["redis"]),
        })
        {
            var service = app.Resources.Single(r => r.Name == name);
            var waits = service.Annotations.OfType<WaitAnnotation>().Select(w => w.Resource.Name);
            Assert.Equal(needs.Order(), waits.Order());
            Assert.Contains(service.Annotations.OfType<HealthCheckAnnotation>(), _ => true);
        }
    }

    [Fact]
    public async Task An_unknown_mode_is_refused_by_its_name()
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => BuildAsync("--Redis:Mode=cluster"));
        Assert.Contains("Redis:Mode is 'cluster'", error.ToString(), StringComparison.Ordinal);
    }

    private static async Task<IDistributedApplicationTestingBuilder> BuildAsync(params string[] args)
        => await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(args);

    private static async Task<string?> SettingAsync(IDistributedApplicationTestingBuilder app, string resource, string name)
    {
        var service = (IResourceWithEnvironment)app.Resources.Single(r => r.Name == resource);
        var context = new EnvironmentCallbackContext(app.ExecutionContext, service);
        // Only those of ours: the others ask for endpoints, which exist in a started application only.
        foreach (var callback in service.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await callback.Callback(context);
            if (context.EnvironmentVariables.TryGetValue(name, out var value))
            {
                return value.ToString();
            }
        }
        return null;
    }
}
