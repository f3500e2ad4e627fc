using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Hosting;
using AspireRedis.Testing;
using StackExchange.Redis;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>A Sentinel deployment in containers and a client on the host.</summary>
public sealed class ContainerTests
{
    [ContainerFact]
    public async Task A_client_on_the_host_follows_the_primary_from_container_to_container()
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var builder = OwnModel.Create("container");
        var redis = builder.AddRedisSentinel("redis").WithPassword(builder.AddParameter("password", "s3cret", secret: true));
        await using var app = builder.Build();
        await app.StartAsync(bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);

        var options = ConfigurationOptions.Parse((await app.GetConnectionStringAsync("redis", bound.Token))!);
        RedisConnectionDefaults.Apply(options);
        var map = await redis.Resource.GetConnectionProperty("EndpointMap").GetValueAsync(bound.Token);
        EndpointMap.Parse(map!).ApplyTo(options);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        var database = connection.GetDatabase();
        await database.StringSetAsync("key", "value");
        Assert.Equal(2, (long)await database.ExecuteAsync("WAIT", 2, 10000));

        var crash = await app.ResourceCommands.ExecuteCommandAsync("redis", "crash-primary", bound.Token);
        Assert.True(crash.Success, crash.Message);
        await Eventually.TrueAsync(async () => await database.StringSetAsync("after", "value"), "the new primary takes writes", TimeSpan.FromMinutes(1));
        Assert.Equal("value", await database.StringGetAsync("key"));
        var shown = await app.ResourceNotifications.WaitForResourceAsync(
            "redis", e => e.Snapshot.Properties.Any(p => p.Name == "redis.failovers" && p.Value is 1), bound.Token);
        Assert.DoesNotContain(shown.Snapshot.Properties, p => p.Name == "redis.primary" && p.Value is "redis-redis-1");

        // A new container with the address of the dead one, which Sentinel makes a replica.
        var start = await app.ResourceCommands.ExecuteCommandAsync("redis-redis-1", "start", bound.Token);
        Assert.True(start.Success, start.Message);
        await app.ResourceNotifications.WaitForResourceAsync(
            "redis-redis-1", e => e.Snapshot.ResourceType == "Redis replica" && e.Snapshot.Properties.Any(p => p.Name == "redis.link" && p.Value is "up"), bound.Token);
    }
}
