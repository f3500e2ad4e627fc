using AspireRedis.Chaos.Faults;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos.Tests;

public sealed class ChaosOptionsTests
{
    [Fact]
    public void Options_are_read_and_the_seed_is_chosen_when_there_is_none()
    {
        var folder = Path.GetTempPath();
        var options = ChaosOptions.Parse(["--faults", "5", "--seed", "42", "--durability", "memory", "--only", "KillPrimary,FreezeService",
            "--rate", "200", "--partitions", "4", "--json", Path.Combine(folder, "x.json")]);

        Assert.Equal((5, 42, Durability.Memory), (options.Faults, options.Seed, options.Durability));
        Assert.Equal([FaultKind.KillPrimary, FaultKind.FreezeService], options.Kinds);
        Assert.Equal((200, 4), (options.Rate, options.Partitions));
        var defaults = ChaosOptions.Parse(["--faults", "5"]);
        Assert.Equal((20, Durability.Replica, 1), (defaults.Rate, defaults.Durability, defaults.Partitions));
        Assert.DoesNotContain(FaultKind.SwitchOver, defaults.Kinds);
        Assert.DoesNotContain(FaultKind.LoseShard, defaults.Kinds);
        var cluster = ChaosOptions.Parse(["--faults", "5", "--topology", "cluster"]);
        Assert.Equal((true, 8), (cluster.OnCluster, cluster.Partitions));
        Assert.Contains(FaultKind.LoseShard, cluster.Kinds);
        Assert.DoesNotContain(FaultKind.KillSentinel, cluster.Kinds);
    }

    [Theory]
    [InlineData("--faults")]
    [InlineData("--seed", "1")]
    [InlineData("--faults", "0")]
    [InlineData("--faults", "many")]
    [InlineData("--faults", "5", "--durability", "paper")]
    [InlineData("--faults", "5", "--only", "Earthquake")]
    [InlineData("--faults", "5", "--rate", "0")]
    [InlineData("--faults", "5", "--partitions", "65")]
    [InlineData("--faults", "5", "--json", "/no/such/folder/x.json")]
    [InlineData("--faults", "5", "--colour", "red")]
    [InlineData("--faults", "5", "--topology", "ring")]
    [InlineData("--faults", "5", "--topology", "cluster", "--partitions", "1")]
    [InlineData("--faults", "5", "--topology", "cluster", "--only", "KillSentinel")]
    public void A_wrong_argument_is_named(params string[] arguments)
    {
        var error = Assert.Throws<ArgumentException>(() => ChaosOptions.Parse(arguments));

        Assert.Contains(arguments is ["--seed", ..] ? "--faults" : arguments[^1] is "--faults" ? "--faults" : arguments[^2], error.Message,
            StringComparison.Ordinal);
    }
}
