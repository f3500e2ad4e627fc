using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Hosting;
using AspireRedis.Hosting.Containers;
using AspireRedis.Testing;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>Deployments in containers and clients on this machine.</summary>
public sealed class ContainerTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(4);

    [ContainerFact]
    public async Task A_client_on_the_host_follows_the_primary_from_container_to_container_and_nothing_is_left_behind()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var others = await EndWithTheRunAsync();
        var builder = OwnModel.Create("container");
        var redis = builder.AddRedisSentinel("redis").WithPassword(builder.AddParameter("password", "s3cret", secret: true)).Resource;
        await using (var app = builder.Build())
        {
            await using var connection = await StartAsync(app, redis, bound.Token);
            var database = connection.GetDatabase();
            await database.StringSetAsync("key", "value");
            Assert.Equal(2, (long)await database.ExecuteAsync("WAIT", 2, 10000));

            Assert.Equal("redis-redis-1 was killed; it was the primary.", await CommandAsync(app, "redis", "crash-primary", bound.Token));
            await Eventually.TrueAsync(async () => await database.StringSetAsync("after", "value"), "the new primary takes writes",
                TimeSpan.FromMinutes(1));
            Assert.Equal("value", await database.StringGetAsync("key"));
            await ShownAsync(app, "redis", s => Property(s, "redis.failovers") is 1, bound.Token);

            // A new container with the address of the dead one. It is never a second primary.
            var primaries = StartedAppHost.PrimariesUntilInSyncAsync(app, "redis-redis-1", bound.Token);
            await CommandAsync(app, "redis-redis-1", "start", bound.Token);
            await ShownAsync(app, "redis-redis-1", s => s.ResourceType == "Redis replica" && Property(s, "redis.link") is "up",
                bound.Token);
            Assert.Equal(0, await primaries);
            await ShownAsync(app, "redis", s => Property(s, "redis.replicas_in_sync") is "2 of 2", bound.Token);

            await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);
            var before = Property(await ShownAsync(app, "redis", _ => true, bound.Token), "redis.primary");
            await CommandAsync(app, "redis", "switchover", bound.Token);
            Assert.NotEqual(before, Property(await ShownAsync(app, "redis", _ => true, bound.Token), "redis.primary"));
            Assert.True(await database.StringSetAsync("switched", "value"));
            await app.StopAsync(bound.Token);
        }
        Assert.Empty((await EndWithTheRunAsync()).Except(others));
    }

    [ContainerFact]
    public async Task A_primary_whose_container_is_restarted_before_anybody_misses_it_has_its_data()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var builder = OwnModel.Create("container");
        var redis = builder.AddRedisSentinel("redis").WithReplicas(2).WithDownAfter(TimeSpan.FromSeconds(60)).Resource;
        await using var app = builder.Build();
        await using var connection = await StartAsync(app, redis, bound.Token);
        await connection.GetDatabase().StringSetAsync("key", "value");
        Assert.Equal(2, (long)await connection.GetDatabase().ExecuteAsync("WAIT", 2, 10000));

        await CommandAsync(app, "redis-redis-1", "restart", bound.Token);

        await Eventually.TrueAsync(
            async () => await connection.GetDatabase().StringGetAsync("key") == "value", "the restarted primary has what was acknowledged",
            TimeSpan.FromMinutes(1));
        await ShownAsync(app, "redis", s => Property(s, "redis.primary") is "redis-redis-1" && Property(s, "redis.failovers") is 0,
            bound.Token);
    }

    [ContainerFact]
    public async Task Kept_data_and_roles_are_there_in_the_next_run()
    {
        using var bound = new CancellationTokenSource(s_bound * 2);
        try
        {
            string? primary;
            var (app, redis) = Build();
            await using (app)
            {
                await using var connection = await StartAsync(app, redis, bound.Token);
                await CommandAsync(app, "kept", "switchover", bound.Token);
                await connection.GetDatabase().StringSetAsync("key", "value");
                Assert.Equal(2, (long)await connection.GetDatabase().ExecuteAsync("WAIT", 2, 10000));
                primary = Property(await ShownAsync(app, "kept", _ => true, bound.Token), "redis.primary") as string;
                Assert.NotEqual("kept-redis-1", primary);
            }

            (app, redis) = Build();
            await using (app)
            {
                await using var connection = await StartAsync(app, redis, bound.Token);
                Assert.Equal("value", await connection.GetDatabase().StringGetAsync("key"));
                await ShownAsync(app, "kept", s => Property(s, "redis.primary") as string == primary, bound.Token);
            }
        }
        finally
        {
            await RemoveAsync("volume", "-kept-");
            await RemoveAsync("network", "aspireredis-kept-");
        }

        static (DistributedApplication App, RedisSentinelResource Redis) Build()
        {
            var builder = OwnModel.Create("container");
            var redis = builder.AddRedisSentinel("kept").WithDataVolume().Resource;
            return (builder.Build(), redis);
        }
    }

    [ContainerFact]
    public Task A_minority_of_frozen_and_crashed_lock_nodes_leaves_the_others_working()
        => RedlockNodesTests.AssertMinorityMayFailAsync("container");

    [ContainerFact]
    public async Task Orders_go_on_when_the_container_of_the_primary_is_killed_and_none_is_lost()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var host = new StartedAppHost("container");
        try
        {
            await host.InitializeAsync();
            await host.PutAsync("container-chair", 1000);
            var placed = new List<string> { await host.PlaceAsync("88", "container-chair") };
            var primary = Property(await host.ShownAsync("redis", s => Property(s, "redis.primary") is string name
                && name.StartsWith("redis-redis-", StringComparison.Ordinal)), "redis.primary");

            var kill = host.CommandAsync("redis", "crash-primary");
            while (placed.Count < 20 || Property(await host.ShownAsync("redis", _ => true), "redis.failovers") is 0)
            {
                bound.Token.ThrowIfCancellationRequested();
                placed.Add(await host.PlaceAsync("88", "container-chair"));
            }
            await kill;

            Assert.NotEqual(primary, Property(await host.ShownAsync("redis", _ => true), "redis.primary"));
            foreach (var order in placed)
            {
                await host.ConfirmedAsync(order);
                await host.MailedAsync(order);
            }
            Assert.Equal(1000 - placed.Count, await host.StockAsync("container-chair"));
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private static async Task<ConnectionMultiplexer> StartAsync(DistributedApplication app, RedisSentinelResource redis,
        CancellationToken cancellationToken)
    {
        await app.StartAsync(cancellationToken);
        await app.ResourceNotifications.WaitForResourceHealthyAsync(redis.Name, WaitBehavior.WaitOnResourceUnavailable, cancellationToken);
        var options = ConfigurationOptions.Parse((await app.GetConnectionStringAsync(redis.Name, cancellationToken))!);
        RedisConnectionDefaults.Apply(options);
        EndpointMap.Parse((await redis.GetConnectionProperty("EndpointMap").GetValueAsync(cancellationToken))!).ApplyTo(options);
        return await ConnectionMultiplexer.ConnectAsync(options);
    }

    private static async Task<string?> CommandAsync(DistributedApplication app, string resource, string command,
        CancellationToken cancellationToken)
    {
        var result = await app.ResourceCommands.ExecuteCommandAsync(resource, command, cancellationToken);
        Assert.True(result.Success, $"{command} on {resource}: {result.Message}");
        return result.Message;
    }

    private static async Task<CustomResourceSnapshot> ShownAsync(
        DistributedApplication app, string resource, Func<CustomResourceSnapshot, bool> wanted, CancellationToken cancellationToken)
        => (await app.ResourceNotifications.WaitForResourceAsync(resource, e => wanted(e.Snapshot), cancellationToken)).Snapshot;

    private static object? Property(CustomResourceSnapshot snapshot, string name)
        => snapshot.Properties.FirstOrDefault(p => p.Name == name)?.Value;

    private static ContainerEngine Engine() => ContainerEngine.Find(new ConfigurationBuilder().AddEnvironmentVariables().Build())!;

    private static async Task<IEnumerable<string>> EndWithTheRunAsync()
        => [.. await NamesAsync("network", "aspireredis-redis-"), .. await NamesAsync("volume", LeftBehind.VolumePrefix)];

    private static async Task<string[]> NamesAsync(string kind, string part)
        => (await Engine().RunAsync(CancellationToken.None, kind, "ls", "--format", "{{.Name}}", "--filter", $"name={part}"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static async Task RemoveAsync(string kind, string part)
    {
        foreach (var name in await NamesAsync(kind, part))
        {
            await Engine().RunAsync(CancellationToken.None, kind, "rm", name);
        }
    }
}
