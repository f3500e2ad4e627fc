using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace AspireRedis.Coordination.Tests.Cluster;

/// <summary>A cluster that by itself takes half a minute to fail over.</summary>
public sealed class PatientClusterFixture : ClusterFixture
{
    public static readonly TimeSpan NodeTimeout = TimeSpan.FromSeconds(15);

    protected override RedisClusterOptions Options => base.Options with { NodeTimeout = NodeTimeout };
}

public sealed class ForcedFailoverTests(PatientClusterFixture redis, ITestOutputHelper output) : IClassFixture<PatientClusterFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private string Forced => $"{redis.ConnectionString},failover=forced";

    [Fact]
    public async Task A_replica_takes_the_place_of_a_primary_that_was_killed_before_the_cluster_finds_it_silent()
    {
        await redis.Cluster.WaitUntilWholeAsync();
        await using var one = await TestClient.ConnectClusterAsync(Forced);
        // Both ask for it.
        await using var other = await TestClient.ConnectClusterAsync(Forced);
        await using var writer = one.CreateWriter(new());
        var tag = Tags.OfAll(redis.Cluster)[0];
        await using var durable = new CountingLoad(one, $"durable:{tag}", writer);
        await using var plain = new CountingLoad(other, $"plain:{tag}");
        await Eventually.TrueAsync(() => durable.Succeeded > 50 && plain.Succeeded > 50, "both are written to");
        var slot = KeySlot.Of(durable.Key);
        var primary = await redis.Cluster.PrimaryOfAsync(slot);
        plain.ForgetLongest();

        redis.Cluster[primary].Kill();

        await redis.Cluster.WaitForPrimaryOtherThanAsync(slot, primary, PatientClusterFixture.NodeTimeout / 2);
        var before = plain.Succeeded;
        await Eventually.TrueAsync(() => plain.Succeeded > before + 50, "the shard goes on");
        output.WriteLine($"blackout: {plain.Longest.TotalMilliseconds:0} ms");
        await redis.Cluster[primary].StartAsync();
        before = durable.Succeeded;
        await Eventually.TrueAsync(() => durable.Succeeded > before + 50, "a replica acknowledges again", s_bound);
        Assert.Null(await durable.CheckAsync(one));
        await redis.Cluster.WaitUntilWholeAsync();
    }

    [Fact]
    public async Task A_primary_that_is_frozen_is_left_to_the_cluster()
    {
        await redis.Cluster.WaitUntilWholeAsync();
        await using var client = await TestClient.ConnectClusterAsync(Forced);
        var tag = Tags.OfAll(redis.Cluster)[1];
        await using var plain = new CountingLoad(client, $"frozen:{tag}");
        await Eventually.TrueAsync(() => plain.Succeeded > 50, "it is written to");
        var primary = await redis.Cluster.PrimaryOfAsync(KeySlot.Of(plain.Key));

        redis.Cluster[primary].Freeze();
        // Long enough for everything that a refused connection would have led to.
        await Eventually.TrueAsync(() => plain.Longest > TimeSpan.FromSeconds(2), "writes are held up");
        redis.Cluster[primary].Thaw();

        var before = plain.Succeeded;
        await Eventually.TrueAsync(() => plain.Succeeded > before + 50, "it goes on");
        Assert.Equal(primary, await redis.Cluster.PrimaryOfAsync(KeySlot.Of(plain.Key)));
    }

    [Fact]
    public async Task A_primary_that_refuses_this_process_alone_keeps_its_place()
    {
        await redis.Cluster.WaitUntilWholeAsync();
        var tag = Tags.OfAll(redis.Cluster)[2];
        var primary = await redis.Cluster.PrimaryOfAsync(KeySlot.Of(tag));
        var options = ConfigurationOptions.Parse(redis.Cluster.Topology.PlainConnectionString);
        // Nobody listens there.
        EndpointMap.Parse($"{primary.Address}=127.0.0.1:{PortAllocator.Next()}").ApplyTo(options);
        using var log = new LogLines();
        await using var refused = await RedisDeployment.ConnectClusterAsync(options, log, forcesFailover: true);

        await Eventually.TrueAsync(() => log.Lines.Any(l => l.Text.Contains("left to the cluster", StringComparison.Ordinal)),
            "a witness denies it");

        Assert.Equal(primary, await redis.Cluster.PrimaryOfAsync(KeySlot.Of(tag)));
    }

    /// <summary>What happens where both witnesses are mistaken.</summary>
    [Fact]
    public async Task A_living_primary_that_is_replaced_by_force_loses_nothing_that_a_replica_has_acknowledged()
    {
        await redis.Cluster.WaitUntilWholeAsync();
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var tag = Tags.OfAll(redis.Cluster)[1];
        await using var durable = new CountingLoad(client, $"replaced:{tag}", writer);
        await Eventually.TrueAsync(() => durable.Succeeded > 50, "it is written to");
        var primary = await redis.Cluster.PrimaryOfAsync(KeySlot.Of(durable.Key));
        var replica = redis.Cluster.Topology.Nodes.First(
            n => n != primary && RedisClusterTopology.ShardOf(n) == RedisClusterTopology.ShardOf(primary));

        await RespConnection.OnceAsync(replica.Address, null, default, "CLUSTER", "FAILOVER", "FORCE");
        await redis.Cluster.WaitForPrimaryOtherThanAsync(KeySlot.Of(durable.Key), primary);

        var before = durable.Succeeded;
        await Eventually.TrueAsync(() => durable.Succeeded > before + 50, "the former primary follows, and acknowledges", s_bound);
        Assert.Null(await durable.CheckAsync(client));
        await redis.Cluster.WaitUntilWholeAsync();
    }

    [Theory]
    [InlineData("a:1,topology=cluster,failover=forced", "a:1", true)]
    [InlineData("a:1,Topology = Cluster, password=x=y,Failover=Forced", "a:1, password=x=y", true)]
    [InlineData("a:1,topology=cluster", "a:1", false)]
    public void A_connection_string_asks_for_it(string text, string rest, bool isForced)
    {
        Assert.True(RedisConnectionString.IsOfCluster(text, out var read, out var forcesFailover));
        Assert.Equal((rest, isForced), (read, forcesFailover));
    }

    [Theory]
    [InlineData("a:1,topology=cluster,failover=sometimes", "failover=sometimes")]
    [InlineData("a:1,failover=forced", "needs 'topology=cluster'")]
    public void What_cannot_be_had_is_refused_by_name(string text, string said)
        => Assert.Contains(said, Assert.Throws<ArgumentException>(() => RedisConnectionString.IsOfCluster(text, out _)).Message,
            StringComparison.Ordinal);
}
