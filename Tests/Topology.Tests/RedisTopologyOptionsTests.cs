using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class RedisTopologyOptionsTests
{
    public static TheoryData<string, RedisTopologyOptions> Unusable => new()
    {
        { "ServiceName", new() { ServiceName = "" } },
        { "ServiceName", new() { ServiceName = "my shop" } },
        { "Replicas", new() { Replicas = -1 } },
        { "Sentinels", new() { Sentinels = -1 } },
        { "LockNodes", new() { LockNodes = -1 } },
        { "Quorum", new() { Quorum = 0 } },
        { "Quorum", new() { Quorum = 4 } },
        { "Quorum", new() { Sentinels = 0, Quorum = 1 } },
        { "DownAfter", new() { DownAfter = TimeSpan.FromMilliseconds(1499) } },
        { "DownAfter", new() { DownAfter = TimeSpan.MaxValue, FailoverTimeout = TimeSpan.MaxValue } },
        { "FailoverTimeout", new() { FailoverTimeout = TimeSpan.FromSeconds(1) } },
        { "FailoverTimeout", new() { FailoverTimeout = TimeSpan.MaxValue } },
        { "Persistence", new() { Persistence = null! } },
        { "Persistence", new() { Persistence = new(true, (AppendFsync)9) } },
        { "LockNodePersistence", new() { LockNodePersistence = new(true, (AppendFsync)9) } },
        { "Host", new() { Host = "localhost" } },
        { "Host", new() { Host = null! } },
        { "Bind", new() { Bind = " " } },
        { "Password", new() { Password = "" } },
        { "Password", new() { Password = "a,b" } },
        { "Password", new() { Password = "a b" } },
        { "ServerSettings", new() { ServerSettings = [""] } },
        { "SentinelSettings", new() { SentinelSettings = ["a\nb"] } },
        { "LockNodeSettings", new() { LockNodeSettings = null! } },
    };

    [Theory]
    [MemberData(nameof(Unusable))]
    public void An_unusable_option_is_refused_by_its_name(string option, RedisTopologyOptions options)
    {
        var error = Assert.Throws<ArgumentException>(() => RedisTopology.Create(options, 7000));

        Assert.Equal(option, error.ParamName);
        Assert.StartsWith(option, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_defaults_and_the_limits_are_accepted()
    {
        new RedisTopologyOptions().Validate();
        new RedisTopologyOptions { DownAfter = TimeSpan.FromMilliseconds(1500), Quorum = 3, LockNodes = 5, Password = "p#\"\\" }.Validate();
        new RedisTopologyOptions { Replicas = 0, Sentinels = 0 }.Validate();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    public void The_quorum_is_a_majority_unless_given(int sentinels, int quorum)
    {
        Assert.Equal(quorum, new RedisTopologyOptions { Sentinels = sentinels }.EffectiveQuorum);
        Assert.Equal(1, new RedisTopologyOptions { Sentinels = sentinels, Quorum = 1 }.EffectiveQuorum);
    }
}
