using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Redis;
using Aspire.Hosting.Testing;
using AspireRedis.Hosting;
using AspireRedis.Hosting.Containers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>What is composed, without starting anything.</summary>
public sealed class ModelTests
{
    private static readonly string[] s_nodes =
        ["redis-redis-1", "redis-redis-2", "redis-redis-3", "redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"];

    [Theory]
    [InlineData("executable")]
    [InlineData("container")]
    public async Task Both_modes_have_the_same_nodes_connection_string_and_durability(string mode)
    {
        await using var app = await BuildAsync($"--Redis:Mode={mode}");

        var redis = Assert.Single(app.Resources.OfType<RedisSentinelResource>());
        Assert.Equal("redis", redis.Name);
        Assert.Equal(s_nodes, redis.Nodes.Select(n => n.Name));
        Assert.All(redis.Nodes, node =>
        {
            Assert.Contains(node, app.Resources);
            Assert.Equal(mode == "container", node is RedisNodeContainer);
            Assert.Same(redis, node.Deployment);
            Assert.NotEmpty(node.Annotations.OfType<HealthCheckAnnotation>());
            Assert.Contains(node.Annotations.OfType<ResourceRelationshipAnnotation>(), r => r.Type == "Parent" && r.Resource == redis);
        });
        Assert.Equal(
            string.Join(',',
            Enumerable.Range(1, 3).Select(n => $"{{redis-sentinel-{n}.bindings.tcp.host}}:{{redis-sentinel-{n}.bindings.tcp.port}}"))
            + ",serviceName=shop",
            redis.ConnectionStringExpression.ValueExpression);
        // Clients of containers must be told where the addresses of Sentinel lead to.
        Assert.Equal(mode == "container", ((IResourceWithConnectionString)redis).GetConnectionProperties()
            .Any(p => p.Key == "EndpointMap"));
        // What orders survive is the services' own default, and the same in both modes.
        Assert.DoesNotContain("Orders__Durability", (await SettingsAsync(app, "orders-api")).Keys);
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
    public async Task A_single_Redis_is_a_container_with_RedisInsight_beside_it_and_the_services_wait_for_no_replica()
    {
        await using var app = await BuildAsync("--Redis:Topology=single");

        var redis = Assert.Single(app.Resources.OfType<RedisResource>());
        Assert.Equal("redis", redis.Name);
        Assert.Single(app.Resources.OfType<RedisInsightResource>());
        Assert.Empty(app.Resources.OfType<RedisSentinelResource>());
        Assert.Empty(app.Resources.OfType<IRedisNodeResource>());
        foreach (var (service, setting) in new[]
        {
            ("orders-api", "Orders__Durability"), ("inventory-api", "Reservations__Durability"),
                ("notifications-worker", "Mail__Durability"),
        })
        {
            Assert.Equal("Memory", (await SettingsAsync(app, service))[setting]);
            Assert.Contains(app.Resources.Single(r => r.Name == service).Annotations.OfType<WaitAnnotation>(), w => w.Resource == redis);
        }
    }

    [Theory]
    [InlineData("Redis:Topology is 'ring'; it must be sentinel, single or cluster", "--Redis:Topology=ring")]
    [InlineData("Redis:Regions is for a Sentinel deployment, and Redis:Topology is 'cluster'", "--Redis:Topology=cluster", "--Redis:Regions=true")]
    [InlineData("Orders:Partitions is 1, and Redis:Topology is 'cluster'", "--Redis:Topology=cluster", "--Orders:Partitions=1")]
    [InlineData("Orders:Partitions is '0'; it must be a number from 1 to 128", "--Orders:Partitions=0")]
    [InlineData("Redis:Mode must be auto or container", "--Redis:Topology=single", "--Redis:Mode=executable")]
    public async Task An_unknown_topology_and_one_that_the_mode_cannot_run_are_refused_by_their_names(string message,
        params string[] settings)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => BuildAsync(settings));
        Assert.Contains(message, error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("4", "--Orders:Partitions=4")]
    [InlineData("8", "--Redis:Topology=cluster")]
    [InlineData("16", "--Redis:Topology=cluster", "--Orders:Partitions=16")]
    public async Task All_services_get_the_one_number_of_partitions(string number, params string[] settings)
    {
        await using var app = await BuildAsync(["--Redis:Mode=executable", .. settings]);
        foreach (var service in (string[])["orders-api", "inventory-api", "notifications-worker"])
        {
            Assert.Equal(number, (await SettingsAsync(app, service))["Orders__Partitions"]);
        }
    }

    [Fact]
    public async Task An_unknown_mode_is_refused_by_its_name()
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => BuildAsync("--Redis:Mode=cluster"));
        Assert.Contains("Redis:Mode is 'cluster'", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_ends_a_server_from_the_dashboard_is_asked_first()
    {
        await using var app = await BuildAsync("--Redis:Mode=executable");
        var commands = app.Resources.SelectMany(r => r.Annotations.OfType<ResourceCommandAnnotation>()
            .Select(c => (Resource: r.Name, Command: c)))
            .Where(c => c.Command.Name is "crash" or "crash-primary").ToArray();
        Assert.Equal(["redis", .. s_nodes], commands.Select(c => c.Resource));
        Assert.All(commands, c => Assert.StartsWith("Kill ", c.Command.ConfirmationMessage, StringComparison.Ordinal));
    }

    [Fact]
    public void The_number_of_nodes_and_the_order_of_their_first_start_follow_the_options()
    {
        var builder = OwnModel.Create("executable");
        var redis = builder.AddRedisSentinel("data").WithReplicas(1).WithSentinels(5, quorum: 4).Resource;

        Assert.Equal(
            ["data-redis-1", "data-redis-2", "data-sentinel-1", "data-sentinel-2", "data-sentinel-3", "data-sentinel-4", "data-sentinel-5"],
            redis.Nodes.Select(n => n.Name));
        Assert.Equal(redis.Nodes, builder.Resources.OfType<IRedisNodeResource>());
        Assert.Equal([], Waits(redis.Nodes[0]));
        Assert.Equal(["data-redis-1"], Waits(redis.Nodes[1]));
        Assert.All(redis.Nodes.Skip(2), sentinel => Assert.Equal(["data-redis-1", "data-redis-2"], Waits(sentinel)));
        Assert.Equal(4, redis.Options.EffectiveQuorum);

        Assert.Equal(TimeSpan.FromSeconds(20), builder.CreateResourceBuilder(redis).WithDownAfter(TimeSpan.FromSeconds(20))
            .Resource.Options.EffectiveFailoverTimeout);
        Assert.Equal("Quorum", Assert.Throws<ArgumentException>(() => builder.CreateResourceBuilder(redis).WithSentinels(3, quorum: 4))
            .ParamName);
        Assert.Equal("DownAfter",
            Assert.Throws<ArgumentException>(() => builder.CreateResourceBuilder(redis).WithDownAfter(TimeSpan.FromSeconds(1))).ParamName);
    }

    [Theory]
    [InlineData("executable")]
    [InlineData("container")]
    public void Lock_nodes_are_independent_and_one_connection_string_lists_them_with_the_password(string mode)
    {
        var builder = OwnModel.Create(mode);
        var locks = builder.AddRedlockNodes("locks", 5).WithPassword(builder.AddParameter("lock-password", "s3cret", secret: true))
            .Resource;

        Assert.Equal(["locks-lock-1", "locks-lock-2", "locks-lock-3", "locks-lock-4", "locks-lock-5"], locks.Nodes.Select(n => n.Name));
        Assert.All(locks.Nodes, node => Assert.Empty(Waits(node)));
        Assert.Equal(
            string.Join(',', locks.Nodes.Select(n => $"{{{n.Name}.bindings.tcp.host}}:{{{n.Name}.bindings.tcp.port}}"))
            + ",password={lock-password.value}",
            locks.ConnectionStringExpression.ValueExpression);
        Assert.Equal(RedisPersistence.AofAlways, locks.Options.LockNodePersistence);
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.AddRedlockNodes("even", 4));
    }

    [Fact]
    public void Data_that_is_kept_has_a_volume_per_container_and_all_nodes_start_at_once()
    {
        var builder = OwnModel.Create("container");
        var redis = builder.AddRedisSentinel("data").WithDataVolume().WithReplicas(3).Resource;

        var volumes = redis.Nodes.Select(n => Assert.Single(n.Annotations.OfType<ContainerMountAnnotation>())).ToArray();
        Assert.All(volumes, v => Assert.Equal((ContainerMountType.Volume, "/data"), (v.Type, v.Target)));
        Assert.Equal(7, volumes.Select(v => v.Source).Distinct().Count());
        Assert.All(redis.Nodes, node => Assert.Empty(Waits(node)));
        Assert.Throws<InvalidOperationException>(() => builder.CreateResourceBuilder(redis).WithDataDirectory("data"));
    }

    [Fact]
    public void Kept_data_of_processes_keeps_the_ports_by_which_the_nodes_know_each_other()
    {
        using var directory = new TemporaryDirectory();
        var earlier = RedisTopology.Create(new RedisTopologyOptions(), new Queue<int>(PortsOfAnEarlierRun(6)).Dequeue);
        earlier.WriteConfiguration(directory.Path);
        var builder = OwnModel.Create("executable");
        var redis = builder.AddRedisSentinel("data").WithDataDirectory(directory.Path).Resource;

        Assert.Equal(
            earlier.Nodes.Select(n => (int?)n.Port),
            redis.Nodes.Select(n => n.Annotations.OfType<EndpointAnnotation>().Single().Port));
        Assert.All(redis.Nodes, node => Assert.Equal(Path.Combine(directory.Path, node.NodeName),
            ((ExecutableResource)node).WorkingDirectory));
    }

    [Fact]
    public async Task What_is_published_refers_to_redis_by_a_connection_string_and_has_the_services()
    {
        using var directory = new TemporaryDirectory();
        await using var app = await BuildAsync("--operation", "publish", "--publisher", "manifest", "--output-path", directory.Path);

        Assert.Empty(app.Resources.OfType<IRedisNodeResource>());
        var redis = (IResourceWithConnectionString)app.Resources.Single(r => r.Name == "redis");
        Assert.Equal("{redis.connectionString}", ((IManifestExpressionProvider)redis).ValueExpression);

        await using var built = await app.BuildAsync();
        await built.RunAsync();
        using var manifest = JsonDocument.Parse(await File.ReadAllTextAsync(Directory.EnumerateFiles(directory.Path, "*.json").Single()));
        var resources = manifest.RootElement.GetProperty("resources");
        Assert.Equal(["inventory-api", "notifications-worker", "orders-api", "redis"],
            resources.EnumerateObject().Select(p => p.Name).Order());
        Assert.Equal("{redis.connectionString}", resources.GetProperty("orders-api").GetProperty("env")
            .GetProperty("ConnectionStrings__redis").GetString());
        Assert.Equal("parameter.v0", resources.GetProperty("redis").GetProperty("type").GetString());
    }

    /// <summary>Free ports that this process has not been given.</summary>
    private static int[] PortsOfAnEarlierRun(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        foreach (var listener in listeners)
        {
            listener.Start();
        }
        int[] ports = [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        foreach (var listener in listeners)
        {
            listener.Dispose();
        }
        return ports;
    }

    [Theory]
    [InlineData("Running", ResourceCommandState.Enabled)]
    // As the orchestrator shows a frozen container, sooner or later.
    [InlineData("Paused", ResourceCommandState.Enabled)]
    [InlineData("Exited", ResourceCommandState.Disabled)]
    public async Task A_frozen_node_can_be_unfrozen_in_each_state_in_which_it_exists(string state, ResourceCommandState expected)
    {
        await using var app = await BuildAsync("--Redis:Mode=container");
        var node = Assert.Single(app.Resources.OfType<RedisSentinelResource>()).Nodes[0];
        var unfreeze = Assert.Single(node.Annotations.OfType<ResourceCommandAnnotation>(), c => c.Name == "unfreeze");

        var snapshot = new CustomResourceSnapshot
        {
            ResourceType = "Container",
            State = state,
            Properties = [new ResourcePropertySnapshot("redis.frozen", true)],
        };
        using var services = new ServiceCollection().BuildServiceProvider();

        Assert.Equal(expected, unfreeze.UpdateState(new UpdateCommandStateContext { ResourceSnapshot = snapshot, Services = services }));
    }

    private static IEnumerable<string> Waits(IResource resource)
        => resource.Annotations.OfType<WaitAnnotation>().Select(w => w.Resource.Name);

    private static async Task<IDistributedApplicationTestingBuilder> BuildAsync(params string[] args)
        => await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(args);

    private static async Task<IReadOnlyDictionary<string, object>> SettingsAsync(IDistributedApplicationTestingBuilder app, string resource)
    {
        var service = (IResourceWithEnvironment)app.Resources.Single(r => r.Name == resource);
        var context = new EnvironmentCallbackContext(app.ExecutionContext, service);
        foreach (var callback in service.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await callback.Callback(context);
        }
        return context.EnvironmentVariables;
    }
}
