using Xunit;

namespace AspireRedis.Topology.Tests;

/// <summary>What the files of regions say.</summary>
public sealed class RegionTopologyTests
{
    private static readonly RedisRegionUsers s_users = RedisRegionUsers.FromSecret("the secret of the standby");
    private static readonly RedisRegionUsers s_activeUsers = RedisRegionUsers.FromSecret("the secret of the active one");
    private static readonly RedisTopologyOptions s_standby = new()
    {
        ServiceName = "eu", Replicas = 1, Sentinels = 1, Users = s_users, Standby = new(new("127.0.0.1", 7100), s_activeUsers),
    };

    [Fact]
    public void The_head_replicates_through_the_link_as_a_user_of_the_active_region_and_its_replica_from_the_head()
    {
        var head = LinesOf("redis-1", s_standby);
        Assert.Contains("replicaof 127.0.0.1 7100", head);
        Assert.Contains("masteruser repl", head);
        Assert.Contains($"masterauth {s_activeUsers.PasswordOf("repl")}", head);
        Assert.Contains("replica-priority 0", head);
        Assert.Contains("aof-timestamp-enabled yes", head);
        // Without rights its append-only file could not be read again.
        Assert.Contains("user default off ~* &* +@all", head);
        var replica = LinesOf("redis-2", s_standby);
        Assert.Contains("replicaof 127.0.0.1 7000", replica);
        Assert.Contains($"masterauth {s_users.PasswordOf("repl")}", replica);
        Assert.Contains("replica-priority 0", replica);
    }

    [Fact]
    public void Its_Sentinels_monitor_nothing_and_those_of_the_active_region_log_in_as_its_own_user()
    {
        Assert.DoesNotContain(LinesOf("sentinel-1", s_standby), l => l.StartsWith("sentinel monitor", StringComparison.Ordinal));
        var active = LinesOf("sentinel-1", s_standby with { ServiceName = "us", Users = s_activeUsers, Standby = null });
        Assert.Contains("sentinel monitor us 127.0.0.1 7000 1", active);
        Assert.Contains("sentinel auth-user us sentinel", active);
        Assert.Contains($"sentinel auth-pass us {s_activeUsers.PasswordOf("sentinel")}", active);
        Assert.Contains("sentinel sentinel-user sentinel", active);
    }

    [Fact]
    public void Services_and_operators_have_different_users()
    {
        var topology = RedisTopology.Create(s_standby, 7000);
        Assert.Equal($"127.0.0.1:7002,serviceName=eu,user=app,password={s_users.PasswordOf("app")}", topology.ConnectionString);
        Assert.Equal($"127.0.0.1:7002,serviceName=eu,user=ctl,password={s_users.PasswordOf("ctl")}", topology.ControlConnectionString);
        Assert.NotEqual(s_users.PasswordOf("app"), s_users.PasswordOf("ctl"));
        Assert.NotEqual(s_users.PasswordOf("app"), s_activeUsers.PasswordOf("app"));
    }

    [Fact]
    public void What_cannot_be_a_region_is_refused()
    {
        Refused(s_standby with { Users = null }, nameof(RedisTopologyOptions.Standby));
        Refused(s_standby with { Users = s_activeUsers }, nameof(RedisTopologyOptions.Standby));
        Refused(s_standby with { Password = "x" }, nameof(RedisTopologyOptions.Password));
        Refused(s_standby with { Sentinels = 0 }, nameof(RedisTopologyOptions.Users));
        Refused(s_standby with { LockNodes = 3 }, nameof(RedisTopologyOptions.Users));
        Assert.Throws<ArgumentException>(() => RedisRegionUsers.FromSecret("short"));

        static void Refused(RedisTopologyOptions options, string name)
            => Assert.Equal(name, Assert.Throws<ArgumentException>(options.Validate).ParamName);
    }

    private static string[] LinesOf(string name, RedisTopologyOptions options)
    {
        var topology = RedisTopology.Create(options, 7000);
        return topology.ConfigurationText(topology.Nodes.Single(n => n.Name == name), "/data").Split('\n');
    }
}
