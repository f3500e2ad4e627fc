using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class RedisTopologyTests
{
    private static readonly RedisTopologyOptions s_full = new() { Replicas = 1, Sentinels = 2, LockNodes = 1 };

    [Fact]
    public void Nodes_have_names_roles_and_consecutive_ports()
    {
        var topology = RedisTopology.Create(s_full, 7000);

        Assert.Equal(
            [
                new("redis-1", RedisRole.Primary, "127.0.0.1", 7000),
                new("redis-2", RedisRole.Replica, "127.0.0.1", 7001),
                new("sentinel-1", RedisRole.Sentinel, "127.0.0.1", 7002),
                new("sentinel-2", RedisRole.Sentinel, "127.0.0.1", 7003),
                new("lock-1", RedisRole.LockNode, "127.0.0.1", 7004),
            ],
            topology.Nodes);
        Assert.Equal([topology.Primary, .. topology.Replicas], topology.Servers);
        Assert.Equal("redis-2", topology.NodeAt(new("127.0.0.1", 7001))?.Name);
        Assert.Null(topology.NodeAt(new("127.0.0.2", 7001)));
    }

    [Fact]
    public void Connection_strings_name_the_sentinels_or_the_servers()
    {
        Assert.Equal("127.0.0.1:7002,127.0.0.1:7003,serviceName=shop", RedisTopology.Create(s_full, 7000).ConnectionString);
        Assert.Equal("127.0.0.1:7000,127.0.0.1:7001", RedisTopology.Create(s_full with { Sentinels = 0 }, 7000).ConnectionString);

        var secret = RedisTopology.Create(s_full with { Password = "s3cret", Host = "::1", ServiceName = "x" }, 7000);
        Assert.Equal("[::1]:7002,[::1]:7003,serviceName=x,password=s3cret", secret.ConnectionString);
        Assert.Equal(["[::1]:7004,password=s3cret"], secret.LockNodeConnectionStrings);
    }

    [Fact]
    public void Primary_configuration() => Assert.Equal(
        """
        bind 127.0.0.1
        port 7000
        protected-mode no
        daemonize no
        dir /data
        save 3600 1 300 100 60 10000
        appendonly yes
        appendfsync everysec
        repl-diskless-sync-delay 0
        repl-backlog-size 64mb
        replica-announce-ip 127.0.0.1
        replica-announce-port 7000

        """,
        TextOf("redis-1", s_full));

    [Fact]
    public void Replica_configuration_with_a_password_and_further_settings() => Assert.Equal(
        """
        bind * -::*
        port 7001
        protected-mode yes
        daemonize no
        dir "/my data"
        requirepass "p\"\\"
        save ""
        appendonly yes
        appendfsync always
        repl-diskless-sync-delay 0
        repl-backlog-size 64mb
        replica-announce-ip 127.0.0.1
        replica-announce-port 7001
        masterauth "p\"\\"
        replicaof 127.0.0.1 7000
        maxmemory 100mb

        """,
        TextOf(
            "redis-2",
            s_full with { Password = "p\"\\", Bind = "* -::*", ServerSettings = ["maxmemory 100mb"],
                Persistence = new(false, AppendFsync.Always) },
            "/my data"));

    [Fact]
    public void Sentinel_configuration() => Assert.Equal(
        """
        bind 127.0.0.1
        port 7002
        protected-mode yes
        daemonize no
        dir /data
        requirepass s3cret
        sentinel resolve-hostnames no
        sentinel announce-hostnames no
        sentinel announce-ip 127.0.0.1
        sentinel announce-port 7002
        sentinel monitor shop 127.0.0.1 7000 2
        sentinel down-after-milliseconds shop 2000
        sentinel failover-timeout shop 5000
        sentinel parallel-syncs shop 1
        sentinel auth-pass shop s3cret
        loglevel verbose

        """,
        TextOf("sentinel-1", s_full with { Password = "s3cret", SentinelSettings = ["loglevel verbose"] }));

    [Fact]
    public void Lock_node_configuration() => Assert.Equal(
        """
        bind 127.0.0.1
        port 7004
        protected-mode no
        daemonize no
        dir /data
        save ""
        appendonly no
        maxmemory 10mb

        """,
        TextOf("lock-1", s_full with { LockNodePersistence = RedisPersistence.None, LockNodeSettings = ["maxmemory 10mb"] }));

    [Fact]
    public void Arguments_are_the_nodes_own_configuration_file()
    {
        var topology = RedisTopology.Create(s_full, 7000);

        Assert.Equal(["/x/redis-1/redis.conf"], RedisTopology.Arguments(topology.Primary, "/x"));
        Assert.Equal(["/x/sentinel-1/sentinel.conf", "--sentinel"], RedisTopology.Arguments(topology.Sentinels[0], "/x"));
    }

    [Fact]
    public void An_existing_configuration_file_is_kept_and_must_be_for_the_same_port()
    {
        using var directory = new TemporaryDirectory();
        var topology = RedisTopology.Create(s_full, 7000);
        topology.WriteConfiguration(directory.Path);
        var path = RedisTopology.ConfigurationPath(topology.Primary, directory.Path);
        File.AppendAllText(path, "replicaof 127.0.0.1 7001\n");

        topology.WriteConfiguration(directory.Path);

        Assert.EndsWith("replicaof 127.0.0.1 7001\n", File.ReadAllText(path), StringComparison.Ordinal);
        var error = Assert.Throws<InvalidOperationException>(() => RedisTopology.Create(s_full, 7001).WriteConfiguration(directory.Path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_can_be_placed_one_by_one_but_not_in_the_same_place()
    {
        var number = 0;
        var placed = RedisTopology.Create(s_full, (_, role) => new($"10.0.0.{++number}", role == RedisRole.Sentinel ? 26379 : 6379));

        Assert.Equal("10.0.0.3:26379,10.0.0.4:26379,serviceName=shop", placed.ConnectionString);
        Assert.Throws<ArgumentException>(() => RedisTopology.Create(s_full, () => 7000));
        Assert.Throws<ArgumentException>(() => RedisTopology.Create(s_full, 65535));
        Assert.Throws<ArgumentException>(() => RedisTopology.Create(s_full, (_, _) => new("redis", 6379)));
    }

    private static string TextOf(string name, RedisTopologyOptions options, string dataDirectory = "/data")
    {
        var topology = RedisTopology.Create(options, 7000);
        return topology.ConfigurationText(topology.Nodes.Single(n => n.Name == name), dataDirectory);
    }
}
