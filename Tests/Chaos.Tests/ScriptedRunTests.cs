using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Load;
using AspireRedis.Coordination;
using AspireRedis.Testing;
using Xunit.Abstractions;

namespace AspireRedis.Chaos.Tests;

/// <summary>The real system under a few faults; eng/chaos does many.</summary>
public sealed class ScriptedRunTests(ITestOutputHelper output)
{
    private const int Seed = 1;

    /// <summary>The primary is frozen for longer than Sentinel waits, and clients stay connected to it when it wakes.</summary>
    private static readonly Fault s_frozenPrimary = new(FaultKind.FreezePrimaryUnseen, 0, TimeSpan.FromSeconds(5));

    [Fact]
    public async Task Orders_that_only_the_primary_has_are_lost_and_the_loss_is_seen()
    {
        // Cut off, the primary goes on serving its clients until they hear of the next one: what it takes by then is lost. After
        // a freeze that depends on who is back first, the clients or the Sentinels.
        var result = await RunAsync([new(FaultKind.IsolatePrimary, 0, TimeSpan.FromSeconds(8)), s_frozenPrimary], Durability.Memory);

        Assert.Contains(result.Violations, v => v.Kind == ViolationKind.LostOrder);
    }

    [Fact]
    public async Task Orders_that_a_replica_has_survive()
    {
        var result = await RunAsync(
            [
                s_frozenPrimary,
                new(FaultKind.CutPrimaryFromSentinels, 0, TimeSpan.FromSeconds(5)),
                new(FaultKind.KillService, 0, TimeSpan.FromSeconds(1)),
                new(FaultKind.FillPrimaryDisk, 0, TimeSpan.FromSeconds(3)),
                new(FaultKind.RestartAllNodes, 0, TimeSpan.FromSeconds(0.5)),
            ],
            Durability.Replica);

        Assert.Empty(result.Violations);
        Assert.NotEmpty(result.Acknowledgements);
    }

    [Fact]
    public async Task Orders_survive_a_clock_that_is_behind_and_are_taken_without_a_replica_when_the_Sentinels_were_replaced()
    {
        var result = await RunAsync(
            [new(FaultKind.ClockBehind, 0, TimeSpan.FromSeconds(1.5)), new(FaultKind.ReplaceSentinels, 0, TimeSpan.Zero)],
            Durability.Replica);

        Assert.Empty(result.Violations);
    }

    [Theory]
    [InlineData(nameof(FaultKind.ClockBehindNaiveConsumer), nameof(ViolationKind.SalesMiscounted))]
    [InlineData(nameof(FaultKind.ReplaceSentinelsWithoutReset), nameof(ViolationKind.NotRecovered))]
    public async Task What_this_library_once_did_is_found(string fault, string violation)
    {
        var result = await RunAsync([new(Enum.Parse<FaultKind>(fault), 0, TimeSpan.FromSeconds(2))], Durability.Replica);

        Assert.Contains(result.Violations, v => v.Kind == Enum.Parse<ViolationKind>(violation));
    }

    [Fact]
    public async Task On_a_cluster_orders_survive_what_its_shards_suffer()
    {
        var result = await RunAsync(
            [
                new(FaultKind.IsolatePrimary, 1, TimeSpan.FromSeconds(7)),
                new(FaultKind.CutShortMove, 2, TimeSpan.FromSeconds(1)),
                new(FaultKind.LoseShard, 0, TimeSpan.FromSeconds(1)),
                // The replica of the second shard.
                new(FaultKind.EmptyNode, 4, TimeSpan.FromSeconds(1)),
            ],
            Durability.Replica, partitions: 8);

        Assert.Empty(result.Violations);
        Assert.NotEmpty(result.Acknowledgements);
    }

    private async Task<ChaosResult> RunAsync(IReadOnlyList<Fault> plan, Durability durability, int partitions = 1)
    {
        using var directory = new TemporaryDirectory();
        var result = await ChaosRun.RunAsync(plan, Seed, Customers.DefaultRate, durability, partitions, onCluster: partitions > 1,
            directory.Path, new Silent(),
            CancellationToken.None);
        using var table = new StringWriter();
        Report.ResultTable.Write(table, result);
        output.WriteLine(table.ToString());
        return result;
    }

    private sealed class Silent : IChaosProgress
    {
        public void Begun(int number, Fault fault, string target)
        {
        }

        public void Ended(int number, FaultRecord fault, int acknowledged)
        {
        }

        public void Settling()
        {
        }
    }
}
