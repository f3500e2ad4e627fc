using System.Text.Json;
using AspireRedis.Coordination.Regions;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Regions.Tests;

/// <summary>Who works on regions is killed with SIGKILL behind a step: what he has begun is undone, or others end it.</summary>
public sealed class KilledTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync(TimeSpan.FromMilliseconds(20));

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Fact]
    public async Task A_switch_is_undone_before_the_lease_was_handed_over_and_ended_behind_that()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var clients = new Dictionary<string, RegionClient>
        {
            [TwoRegions.A] = await Regions.ConnectAsync(TwoRegions.A),
            [TwoRegions.B] = await Regions.ConnectAsync(TwoRegions.B),
        };
        await Eventually.HoldsAsync(() => clients[TwoRegions.A].WriteAsync(), "A accepts writes", s_bound);
        using var ending = new CancellationTokenSource();
        var writing = clients.Values.Select(c => c.WriteUntilAsync(ending.Token)).ToList();

        var active = TwoRegions.A;
        foreach (var (step, isHandedOver) in new[]
        {
            ("announced", false), ("forgotten", false), ("held", false), ("caught up", false), ("handed over", true), ("promoted", true),
            ("permitted", true), ("monitored", true),
        })
        {
            var to = Other(active);
            await KillAsync(step, "switch", to);
            active = isHandedOver ? to : active;
            var before = clients[active].Acknowledged.Count;
            await Eventually.TrueAsync(() => clients[active].Acknowledged.Count > before, $"{active} accepts writes after {step}", s_bound);
            await Regions.UntilAttachedAsync(active, Other(active));
            await Eventually.HoldsAsync(() => AssertTidyAsync(active), $"nothing is left of it after {step}", s_bound);
            var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => clients[Other(active)].WriteAsync());
            Assert.Equal(active, refused.ActiveRegion);
        }
        await ending.CancelAsync();
        await Task.WhenAll(writing);
        Assert.Empty(clients.Values.SelectMany(c => c.Acknowledged).Except(await clients[active].ReadAsync()));
    }

    [Theory]
    [InlineData("leased")]
    [InlineData("recorded")]
    [InlineData("kept")]
    public async Task A_promotion_is_ended_by_the_other_agent_of_the_region(string step)
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await using var first = PuppetProcess.Start(
            "region-agent", [Regions.ConfigurationFor(TwoRegions.B, o => o.PromoteAutomatically = true), step]);
        await Regions.UntilAttachedAsync();
        await Regions.StartAgentAsync(TwoRegions.B, o => o.PromoteAutomatically = true);
        var a = await Regions.ConnectAsync(TwoRegions.A);
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await UntilInStandbyAsync(a);
        Assert.False(first.HasExited, first.Output);

        Regions.Kill(TwoRegions.A);
        Assert.Equal(PuppetProcess.KilledExitCode, await first.WaitForExitAsync(s_bound));
        await AssertPromotedAsync(b);
        Assert.Empty(a.Acknowledged.Except(await b.ReadAsync()));
    }

    [Theory]
    [InlineData("leased")]
    [InlineData("promoted")]
    public async Task A_promotion_by_command_is_ended_by_the_agent_or_made_again_when_nothing_was_decided(string step)
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var b = await Regions.ConnectAsync(TwoRegions.B);
        var looking = Regions.CreateOperator(TwoRegions.B);
        var held = await Assert.ThrowsAsync<RegionException>(() => looking.PromoteAsync(TwoRegions.B));
        Assert.Contains("holds the lease", held.Message, StringComparison.Ordinal);
        Regions.Kill(TwoRegions.A);
        await Eventually.TrueAsync(async () => (await looking.StatusAsync()).LeaseHolder is null, "the lease of A is over", s_bound);

        await KillAsync(step, "promote", TwoRegions.B);
        if (step == "leased")
        {
            // Nothing is decided: the agents do nothing, and the next operator begins anew.
            Assert.Equal("a", (await looking.StatusAsync()).ActiveRegion);
            await Assert.ThrowsAsync<RegionNotActiveException>(() => b.WriteAsync());
            await Eventually.HoldsAsync(() => looking.PromoteAsync(TwoRegions.B), "the turn of the one who was killed is over", s_bound);
        }
        await AssertPromotedAsync(b);
    }

    [Fact]
    public async Task A_failback_is_begun_again_keeps_what_only_the_lost_region_has_and_leaves_one_that_can_be_promoted()
    {
        var agent = await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await UntilInStandbyAsync(a);
        Regions.CutWayTo(TwoRegions.A, true);
        var before = a.Acknowledged;
        await a.WriteAsync(20);
        var divergent = a.Acknowledged.Except(before).Order(StringComparer.Ordinal).ToArray();
        Regions.Freeze(TwoRegions.A);
        var operation = Regions.CreateOperator(TwoRegions.B);
        await Eventually.TrueAsync(async () => (await operation.StatusAsync()).LeaseHolder is null, "the lease of A is over", s_bound);
        await operation.PromoteAsync(TwoRegions.B);
        Regions.CutWayTo(TwoRegions.A, false);
        Regions.Thaw(TwoRegions.A);
        await Eventually.TrueAsync(() => agent.Attention is not null, "A waits for a person", s_bound);

        using var folder = new TemporaryDirectory();
        foreach (var (step, isKept) in new[] { ("closed", false), ("read", false), ("kept", true), ("following", true) })
        {
            var file = Path.Combine(folder.Path, step);
            await KillAsync(step, "failback", TwoRegions.A, file);
            Assert.Equal(isKept, File.Exists(file));
            if (isKept)
            {
                var inFile = (await File.ReadAllLinesAsync(file))
                    .Select(l => JsonDocument.Parse(l).RootElement.GetProperty("command").Deserialize<string[]>()!)
                    .Where(c => c[0] == "RPUSH").Select(c => c[2]).Order(StringComparer.Ordinal);
                Assert.Equal(divergent, inFile);
            }
        }
        await Regions.UntilAttachedAsync(active: TwoRegions.B, standby: TwoRegions.A);
        await Eventually.HoldsAsync(() => operation.SwitchAsync(TwoRegions.A), "A is switched to", s_bound);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes again", s_bound);
    }

    private Task UntilInStandbyAsync(RegionClient a)
        => Eventually.HoldsAsync(
            async () => Assert.Equal(a.Acknowledged, await Regions.NumbersAsync(TwoRegions.B)),
            "B has them", s_bound);

    private static string Other(string region) => region == TwoRegions.A ? TwoRegions.B : TwoRegions.A;

    /// <summary>From within the region; again, as long as it is refused: the turn of who was killed before may not be over.</summary>
    private Task KillAsync(string step, string operation, string region, params string[] more)
        => Eventually.HoldsAsync(
            async () =>
            {
                var configuration = Regions.ConfigurationFor(region, o => o.NodeTimeout = TimeSpan.FromSeconds(3));
                await using var puppet = PuppetProcess.Start("region-operator", [configuration, step, operation, region, .. more]);
                var code = await puppet.WaitForExitAsync(s_bound);
                Assert.True(code == PuppetProcess.KilledExitCode, $"{code}: {puppet.Output}");
            },
            $"{operation} is killed behind '{step}'", s_bound);

    /// <summary>The servers' settings, as they are when nobody switches.</summary>
    private async Task AssertTidyAsync(string active)
    {
        foreach (var region in new[] { TwoRegions.A, TwoRegions.B })
        {
            foreach (var server in Regions[region].Topology.Servers)
            {
                Assert.Equal("10", await SettingAsync(region, server, "repl-ping-replica-period"));
                Assert.True(region != active || await SettingAsync(region, server, "replica-priority") == "100");
            }
        }
        var status = await Regions.CreateOperator(active).StatusAsync();
        Assert.Equal((active, active), (status.ActiveRegion, status.LeaseHolder));
        Assert.All(status.Regions, r => Assert.Equal(r.Name == active ? 3 : 0, r.SentinelsMonitoring));
    }

    private async Task AssertPromotedAsync(RegionClient b)
    {
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        await using var looking = Regions.CreateOperator(TwoRegions.B);
        await Eventually.HoldsAsync(
            async () =>
            {
                var status = await looking.StatusAsync();
                var report = Assert.Single(status.Regions, r => r.Name == "b");
                Assert.Equal(("b", "b", 3), (status.ActiveRegion, status.LeaseHolder, report.SentinelsMonitoring));
                foreach (var server in Regions[TwoRegions.B].Topology.Servers)
                {
                    Assert.Equal("100", await SettingAsync(TwoRegions.B, server, "replica-priority"));
                }
            },
            "everything is done", s_bound);
        await Regions[TwoRegions.B].WaitUntilCompleteAsync();
    }

    private async Task<string> SettingAsync(string region, RedisNode server, string name)
        => (string)((object?[])(await Regions.ExecuteAsync(region, server, "CONFIG", "GET", name))!)[1]!;
}
