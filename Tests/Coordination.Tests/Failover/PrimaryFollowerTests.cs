using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Failover;

[Collection(AloneCollection.Name)]
public sealed class PrimaryFollowerTests(SentinelFixture redis) : IClassFixture<SentinelFixture>, IAsyncLifetime
{
    private const string Name = "followed";

    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    public async Task InitializeAsync()
    {
        foreach (var process in redis.Redis.Processes.Values)
        {
            process.Thaw();
            await process.StartAsync();
        }
        await redis.Redis.WaitUntilCompleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData("")]
    [InlineData("app:")]
    public async Task After_SENTINEL_FAILOVER_nothing_is_written_to_the_old_primary_which_takes_writes_for_seconds_yet(
        string channelPrefix)
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, configure: o =>
        {
            o.ClientName = Name;
            o.ChannelPrefix = RedisChannel.Literal(channelPrefix);
        });
        await client.Deployment.EvaluateAsync(s_count, ["followed"], []);
        var before = await redis.Redis.CurrentPrimaryAsync();
        await using var old = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(before));
        await FailOverAsync();

        await Eventually.TrueAsync(() => !Node(before).Equals(client.Shard.Primary), "another node is followed");

        // Still a primary by its own account: the client is not told by it.
        Assert.IsType<Role.Master>(await old.Shard.Server.RoleAsync());
        await Eventually.HoldsAsync(
            () => client.Deployment.EvaluateAsync(s_count, [$"{channelPrefix}followed:after"], []), "a write goes through");
        Assert.False(await old.Database.KeyExistsAsync($"{channelPrefix}followed:after"));
        Assert.True(await client.Database.KeyExistsAsync($"{channelPrefix}followed:after"));
        Assert.DoesNotContain(await ClientsAsync(old), name => name.StartsWith(Name, StringComparison.Ordinal)
            && !name.EndsWith(":probe", StringComparison.Ordinal));

        await Eventually.TrueAsync(() => telemetry.Spans.Any(s => s.OperationName == "redis failover"), "the failover is a span", s_bound);
        var span = telemetry.Spans.First(s => s.OperationName == "redis failover");
        Assert.Equal(before.Address.ToString(), span.GetTagItem("redis.failover.from"));
        Assert.Equal(EndPointCollection.ToString(client.Shard.Primary), span.GetTagItem("redis.failover.to"));
        Assert.Equal(false, span.GetTagItem("redis.failover.planned"));
        string[] phases = [.. span.Events.Select(e => e.Name)];
        foreach (var phase in (string[])["selected-slave", "followed", "first-success", "switch-master"])
        {
            Assert.Contains(phase, phases);
        }
        Assert.True(Array.IndexOf(phases, "followed") < Array.IndexOf(phases, "first-success"), string.Join(' ', phases));
        Assert.Contains(telemetry.Values, v => v is ("redis.failovers", 1));
    }

    [Fact]
    public async Task A_primary_that_was_paused_is_left_and_gets_nothing_when_it_wakes()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, configure: o => o.ClientName = Name);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(5), RetryFor = s_bound });
        await writer.EvaluateAsync(s_count, ["paused"], [], Durability.Replica, default);
        using var telemetry = new Telemetry();
        var before = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[before].Freeze();
        // One that is in its socket when it is left, and some that come when it does not answer.
        var inFlight = Record.ExceptionAsync(() => client.Deployment.EvaluateAsync(s_count, ["paused:in-flight"], []));

        await Eventually.TrueAsync(() => !Node(before).Equals(client.Shard.Primary), "another node is followed", s_bound);
        Assert.IsType<RedisOutcomeUnknownException>(await inFlight.WaitAsync(s_bound));
        await writer.EvaluateAsync(s_count, ["paused:after"], [], Durability.Replica, default);
        await Eventually.TrueAsync(() => telemetry.Values.Any(v => v.Name == "redis.failover.blackout.duration" && v.Value > 1),
            "the blackout is measured", s_bound);
        Assert.Contains(telemetry.Spans, s => s.OperationName == "redis failover" && s.Events.Any(e => e.Name == "sdown")
            && s.Events.Any(e => e.Name == "odown"));

        await using var old = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(before),
            configure: o => o.AbortOnConnectFail = false);
        redis.Redis[before].Thaw();
        await Eventually.TrueAsync(async () => (await old.Database.PingAsync()) > TimeSpan.Zero, "it is awake");
        Assert.DoesNotContain(await ClientsAsync(old), name => name.StartsWith(Name, StringComparison.Ordinal)
            && !name.EndsWith(":probe", StringComparison.Ordinal));
        await writer.EvaluateAsync(s_count, ["paused:after"], [], Durability.Replica, default);
        Assert.Equal(2, (int)await client.Database.StringGetAsync("paused:after"));
        Assert.Equal(1, (int)await client.Database.StringGetAsync("paused"));
    }

    [Fact]
    public async Task What_a_failover_held_up_says_so_on_its_span_to_which_the_span_of_the_failover_is_linked()
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { RetryFor = s_bound });
        var script = RedisScript.Load<FailoverTests>("count", repeatable: true);
        using var request = new Activity("request").Start();
        await writer.EvaluateAsync(script, ["explained"], [], Durability.Replica, default);
        await client.Deployment.EvaluateAsync(script, ["explained"], []);
        Assert.All(telemetry.SpansOf(request), s => Assert.Empty(s.Events));
        var before = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[before].Kill();

        var durable = writer.EvaluateAsync(script, ["explained"], [], Durability.Replica, default);
        // Each is tried for a shorter time than a failover takes on a machine at work.
        await Eventually.HoldsAsync(() => client.Deployment.EvaluateAsync(script, ["explained"], []), "a script is run", s_bound);
        await durable.WaitAsync(s_bound);

        var heldUp = telemetry.SpansOf(request).FindAll(s => s.Events.Any(e => e.Name == "redis.failover"));
        Assert.Equal(2, heldUp.Count);
        foreach (var tags in heldUp.Select(s => s.Events.Single(e => e.Name == "redis.failover").Tags)
            .Select(t => t.ToDictionary(t => t.Key, t => t.Value)))
        {
            Assert.Equal(before.Address.ToString(), tags["redis.failover.from"]);
            Assert.Equal(EndPointCollection.ToString(client.Shard.Primary), tags["redis.failover.to"]);
            Assert.Equal(false, tags["redis.failover.planned"]);
            Assert.True(tags["redis.failover.waited"] is > 0.1, $"{tags["redis.failover.waited"]}");
        }
        Activity? failover = null;
        await Eventually.TrueAsync(() => (failover = telemetry.Spans.FirstOrDefault(s => s.OperationName == "redis failover")) is not null,
            "the failover is a span", s_bound);
        Assert.Equal(heldUp.Select(s => s.SpanId.ToString()).Order(), failover!.Links.Select(l => l.Context.SpanId.ToString()).Order());
    }

    [Fact]
    public async Task An_attempt_to_connect_to_a_node_that_was_left_is_given_up()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString,
            configure: o => o.ConnectTimeout = 10 * (int)s_bound.TotalMilliseconds);
        await client.Database.PingAsync();
        var before = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[before].Freeze();

        await using var connection = await client.Shard.OpenDedicatedAsync("test", TimeSpan.FromSeconds(1), RedisShard.Bound, default)
            .WaitAsync(s_bound);

        Assert.NotEqual(Node(before), connection.Node);
        Assert.Equal(client.Shard.Primary, connection.Node);
    }

    [Fact]
    public async Task A_client_that_starts_while_a_Sentinel_is_frozen_and_another_is_dead_finds_the_primary()
    {
        var (frozen, dead) = (redis.Redis.Topology.Sentinels[0], redis.Redis.Topology.Sentinels[1]);
        redis.Redis[frozen].Freeze();
        redis.Redis[dead].Kill();

        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await Eventually.TrueAsync(async () => await client.Database.PingAsync() > TimeSpan.Zero, "it is connected");

        Assert.Equal(Node(redis.Redis.Topology.NodeAt((await redis.Redis.CurrentPrimaryAsync()).Address)!), client.Shard.Primary);
        Assert.False(await client.Shard.Follower!.HasQuorumAsync());
    }

    [Fact]
    public async Task A_follower_is_for_one_service()
    {
        await using var follower = new PrimaryFollower(Microsoft.Extensions.Logging.Abstractions.NullLogger<PrimaryFollower>.Instance);
        follower.Attach(ConfigurationOptions.Parse("a:1,serviceName=one"));
        follower.Attach(ConfigurationOptions.Parse("a:1,serviceName=one"));
        var plain = ConfigurationOptions.Parse("a:1");
        follower.Attach(plain);
        Assert.Null(plain.Tunnel);
        Assert.Contains("'two'",
            Assert.Throws<InvalidOperationException>(() => follower.Attach(ConfigurationOptions.Parse("a:1,serviceName=two"))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>As an operator does it.</summary>
    private async Task FailOverAsync()
    {
        await redis.Redis.WaitUntilCompleteAsync();
        var sentinel = redis.Redis.Topology.Sentinels[0];
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(sentinel),
            o => o.CommandMap = CommandMap.Sentinel);
        await connection.GetServer(sentinel.Host, sentinel.Port).SentinelFailoverAsync(redis.Redis.Topology.Options.ServiceName);
    }

    private static async Task<string[]> ClientsAsync(TestClient server)
        => [.. ((string)(await server.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ').First(f => f.StartsWith("name=", StringComparison.Ordinal))[5..])];

    private static IPEndPoint Node(RedisNode node) => new(IPAddress.Parse(node.Host), node.Port);
}
