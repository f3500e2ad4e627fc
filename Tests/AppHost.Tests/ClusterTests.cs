using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Hosting;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>A Redis Cluster as a resource, with what can be done to it from the dashboard.</summary>
public sealed class ClusterTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(4);

    // One in each third of the slots.
    private static readonly RedisKey[] s_keys = ["b", "c", "a"];

    [Fact]
    public Task Processes_form_a_cluster_whose_shards_fail_over_switch_over_and_give_slots_away() => AssertOperableAsync("executable");

    [ContainerFact]
    public Task Containers_form_a_cluster_whose_shards_fail_over_switch_over_and_give_slots_away() => AssertOperableAsync("container");

    [Fact]
    public async Task A_shard_is_added_and_another_removed_while_keys_are_written()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var builder = OwnModel.Create("executable");
        builder.AddRedisCluster("redis").WithReplicas(0).WithSpareShards(1);
        await using var app = builder.Build();
        await app.StartAsync(bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        await using var deployment = await RedisDeployment.ConnectAsync((await app.GetConnectionStringAsync("redis", bound.Token))!);
        var keys = Enumerable.Range(0, 1000).Select(i => (RedisKey)$"key:{i}").ToList();
        Assert.Equal("16384 of 16384", Property("redis.slots"));
        Assert.Null(Property("redis.shard-4"));
        var refused = await CommandAsync("remove-shard", ("shard", "1"));
        Assert.False(refused.Success);
        Assert.Contains("Three primaries", refused.Message, StringComparison.Ordinal);

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(bound.Token);
        var round = 0;
        var writing = Task.Run(async () =>
        {
            for (; !enough.IsCancellationRequested; round++)
            {
                foreach (var key in keys)
                {
                    await deployment.RunAsync(key, database => database.StringSetAsync(key, round), repeatable: true, bound.Token);
                }
            }
        }, bound.Token);
        var added = await CommandAsync("add-shard");
        Assert.Equal("4096 slots moved to redis-shard-4-1.", added.Message);
        var full = await CommandAsync("add-shard");
        Assert.False(full.Success);
        var removed = await CommandAsync("remove-shard", ("shard", "1"));
        Assert.True(removed.Success, removed.Message);
        await enough.CancelAsync();
        await writing;

        await app.ResourceNotifications.WaitForResourceAsync("redis", e => StartedAppHost.Property(e.Snapshot, "redis.shard-4") is not null
            && StartedAppHost.Property(e.Snapshot, "redis.shard-1") is "no slots", bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        Assert.True(round > 0);
        foreach (var key in keys)
        {
            var value = await deployment.RunAsync(key, database => database.StringGetAsync(key), repeatable: true, bound.Token);
            Assert.Equal(round - 1, (int)value);
        }
        await app.StopAsync(bound.Token);

        Task<ExecuteCommandResult> CommandAsync(string command, params (string Name, string Value)[] arguments)
            => app.ResourceCommands.ExecuteCommandAsync("redis", command, new InteractionInputCollection(
                [.. arguments.Select(a => new InteractionInput { Name = a.Name, InputType = InputType.Number, Value = a.Value })]),
                bound.Token);

        string? Property(string name)
            => app.ResourceNotifications.TryGetCurrentState("redis", out var now) ? StartedAppHost.Property(now.Snapshot, name) : null;
    }

    [Fact]
    public void Its_nodes_follow_the_options_and_its_connection_string_says_that_it_is_one()
    {
        var builder = OwnModel.Create("executable");
        var cluster = builder.AddRedisCluster("data").WithReplicas(2).WithPassword(builder.AddParameter("secret", "s3cret", secret: true)).Resource;

        Assert.Equal(
            ["data-shard-1-1", "data-shard-2-1", "data-shard-3-1", "data-shard-1-2", "data-shard-1-3", "data-shard-2-2", "data-shard-2-3",
                "data-shard-3-2", "data-shard-3-3"],
            cluster.Nodes.Select(n => n.Name));
        Assert.All(cluster.Nodes, node => Assert.Empty(node.Annotations.OfType<WaitAnnotation>()));
        Assert.Equal(
            string.Join(',', cluster.Nodes.Select(n => $"{{{n.Name}.bindings.tcp.host}}:{{{n.Name}.bindings.tcp.port}}"))
            + ",topology=cluster,password={secret.value}",
            cluster.ConnectionStringExpression.ValueExpression);
        var resource = builder.CreateResourceBuilder(cluster);
        Assert.Equal("Primaries", Assert.Throws<ArgumentException>(() => resource.WithPrimaries(2)).ParamName);
        Assert.Equal("ReplicasPerPrimary", Assert.Throws<ArgumentException>(() => resource.WithReplicas(-1)).ParamName);
        Assert.Equal("NodeTimeout", Assert.Throws<ArgumentException>(() => resource.WithNodeTimeout(TimeSpan.FromMilliseconds(10))).ParamName);
        Assert.Equal(9, cluster.Nodes.Count);
    }

    private static async Task AssertOperableAsync(string mode)
    {
        using var bound = new CancellationTokenSource(s_bound);
        var builder = OwnModel.Create(mode);
        var cluster = builder.AddRedisCluster("redis").WithNodeTimeout(TimeSpan.FromSeconds(1))
            .WithPassword(builder.AddParameter("password", "s3cret", secret: true)).Resource;
        await using var app = builder.Build();
        await app.StartAsync(bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        var text = (await app.GetConnectionStringAsync("redis", bound.Token))!;
        Assert.EndsWith(",topology=cluster,password=s3cret", text, StringComparison.Ordinal);
        var options = ConfigurationOptions.Parse(text.Replace(",topology=cluster", "", StringComparison.Ordinal));
        if (mode == "container")
        {
            EndpointMap.Parse((await cluster.GetConnectionProperty("EndpointMap").GetValueAsync(bound.Token))!).ApplyTo(options);
        }
        await using var deployment = await RedisDeployment.ConnectClusterAsync(options);
        await WriteAsync("before");
        await ShownAsync("redis-shard-1-1", s => Property(s, "redis.slots") is "0-5460" && s.ResourceType == "Redis primary");
        await ShownAsync("redis", s => Property(s, "redis.slots") is "16384 of 16384" && s.Urls.Length == 3);

        Assert.Equal("redis-shard-1-1 was killed; it was the primary.", await CommandAsync("crash-primary", ("shard", "1")));
        await WriteAsync("after");
        await ShownAsync("redis", s => Property(s, "redis.shard-1") is "redis-shard-1-2, 0-5460" && Property(s, "redis.failovers") is "1");
        await app.ResourceCommands.ExecuteCommandAsync("redis-shard-1-1", "start", bound.Token);
        await ShownAsync("redis-shard-1-1", s => s.ResourceType == "Redis replica" && Property(s, "redis.link") is "up");
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", WaitBehavior.WaitOnResourceUnavailable, bound.Token);

        Assert.StartsWith("redis-shard-2-2 is the primary now", await CommandAsync("switchover", ("shard", "2")), StringComparison.Ordinal);
        Assert.Equal("50 slots moved from redis-shard-3-1 to redis-shard-2-2.",
            await CommandAsync("move-slots", ("from", "3"), ("to", "2"), ("count", "50")));
        await ShownAsync("redis", s => Property(s, "redis.shard-2") is "redis-shard-2-2, 5461-10971");
        await WriteAsync("moved");
        Assert.False((await ExecuteAsync("move-slots", ("from", "3"), ("to", "4"), ("count", "50"))).Success);
        await app.StopAsync(bound.Token);

        // Each key is in another shard.
        async Task WriteAsync(string value)
        {
            foreach (var key in s_keys)
            {
                await Eventually.TrueAsync(
                    async () => await deployment.RunAsync(key, database => database.StringSetAsync(key, value), repeatable: true),
                    $"{key} is written", TimeSpan.FromMinutes(1), bound.Token);
            }
        }

        Task<ExecuteCommandResult> ExecuteAsync(string command, params (string Name, string Value)[] arguments)
            => app.ResourceCommands.ExecuteCommandAsync("redis", command, new InteractionInputCollection(
                [.. arguments.Select(a => new InteractionInput { Name = a.Name, InputType = InputType.Number, Value = a.Value })]),
                bound.Token);

        async Task<string?> CommandAsync(string command, params (string Name, string Value)[] arguments)
        {
            var result = await ExecuteAsync(command, arguments);
            Assert.True(result.Success, $"{command}: {result.Message}");
            return result.Message;
        }

        Task ShownAsync(string resource, Func<CustomResourceSnapshot, bool> wanted)
            => app.ResourceNotifications.WaitForResourceAsync(resource, e => wanted(e.Snapshot), bound.Token);

        static string? Property(CustomResourceSnapshot snapshot, string name) => StartedAppHost.Property(snapshot, name);
    }
}
