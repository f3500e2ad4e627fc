using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Coordination.Tests.Cluster;

public sealed class ClusterTopologyTests
{
    [Fact]
    public void The_slots_are_divided_without_a_gap_and_each_node_has_two_ports_of_its_own()
    {
        var port = 7000;
        var topology = RedisClusterTopology.Create(new() { Primaries = 7, ReplicasPerPrimary = 2 }, () => port++);

        Assert.Equal((7, 21), (topology.Primaries.Count, topology.Nodes.Count));
        var next = 0;
        foreach (var slots in topology.Primaries.Select(topology.SlotsOf))
        {
            Assert.Equal(next, slots.First);
            Assert.InRange(slots.Count, 2340, 2341);
            next = slots.Last + 1;
        }
        Assert.Equal(RedisClusterTopology.SlotCount, next);
        Assert.All(topology.Primaries, p => Assert.Equal(2, topology.ReplicasOf(p).Count));
        Assert.Equal(42, topology.Nodes.SelectMany(n => new[] { n.Port, topology.BusPortOf(n) }).Distinct().Count());
    }

    [Theory]
    [InlineData(0, 5460, "0-5460")]
    [InlineData(5462, 5462, "5462")]
    public void Slots_are_written_as_Redis_writes_them(int first, int last, string text)
        => Assert.Equal(text, new RedisSlotRange(first, last).ToString());

    [Fact]
    public void The_configuration_says_what_is_not_the_default_and_further_settings_win()
    {
        var port = 7000;
        var topology = RedisClusterTopology.Create(
            new() { NodeTimeout = TimeSpan.FromMilliseconds(1500), Password = "secret", ServerSettings = ["maxmemory 100mb"] }, () => port++);

        var lines = topology.ConfigurationText(topology.Primaries[1], "/data").Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Superset(new HashSet<string>
        {
            "port 7002", "cluster-port 7003", "cluster-enabled yes", "cluster-node-timeout 1500", "cluster-require-full-coverage no",
            "cluster-announce-ip 127.0.0.1", "requirepass secret", "masterauth secret", "appendonly yes", "dir /data",
        }, lines.ToHashSet());
        Assert.Equal("maxmemory 100mb", lines[^1]);
        Assert.EndsWith(",topology=cluster,password=secret", topology.ConnectionString, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, 1, 2000)]
    [InlineData(3, -1, 2000)]
    [InlineData(3, 1, 100)]
    public void What_makes_no_cluster_is_refused(int primaries, int replicas, int timeout)
        => Assert.Throws<ArgumentException>(() => RedisClusterTopology.Create(new()
        {
            Primaries = primaries, ReplicasPerPrimary = replicas, NodeTimeout = TimeSpan.FromMilliseconds(timeout),
        }));

    [Fact]
    public async Task A_cluster_with_a_password_is_formed_connected_to_and_goes_on_with_its_data_after_a_restart_of_all_nodes()
    {
        var directory = Directory.CreateTempSubdirectory("aspire-redis-").FullName;
        var topology = RedisClusterTopology.Create(new() { Password = "secret", ReplicasPerPrimary = 0 });
        await using (var first = await LocalCluster.StartAsync(topology, directory))
        {
            await using var client = await TestClient.ConnectClusterAsync(topology.ConnectionString);
            await client.Deployment.RunAsync("kept", d => d.StringSetAsync("kept", "1"), repeatable: true);
        }
        await using var again = await LocalCluster.StartAsync(topology, directory, deleteDirectory: true);
        await using var other = await TestClient.ConnectClusterAsync(topology.ConnectionString);
        await Eventually.TrueAsync(
            async () => await other.Deployment.RunAsync("kept", d => d.StringGetAsync("kept"), repeatable: true) == "1",
            "the data are there");
    }
}
