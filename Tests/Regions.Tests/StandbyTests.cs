using AspireRedis.Coordination.Regions;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Regions.Tests;

/// <summary>The standby follows what happens in the active region.</summary>
public sealed class StandbyTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync();

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Fact]
    public async Task A_failover_in_the_active_region_is_followed_and_what_only_the_standby_has_is_written_there_again()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        var agent = await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await a.WriteAsync(100);
        var (primary, replica) = (Regions[TwoRegions.A].Topology.Primary, Regions[TwoRegions.A].Topology.Replicas[0]);

        // A's replica is out of step from here on, and can be promoted all the same.
        await Regions.ExecuteAsync(TwoRegions.A, replica, "CONFIG", "SET", "masterauth", "wrong");
        await Regions.ExecuteAsync(TwoRegions.A, replica, "CLIENT", "KILL", "TYPE", "master");
        await Eventually.TrueAsync(async () => !(await Regions.InfoAsync(TwoRegions.A, replica)).IsLinked, "A's replica has lost its link");
        var before = a.Acknowledged.Count;
        await a.WriteAsync(50);
        await Eventually.TrueAsync(async () => await LengthAsync(TwoRegions.B, 0) >= a.Acknowledged.Count, "B has them");
        Assert.Equal(before, await LengthAsync(TwoRegions.A, 1));
        Regions[TwoRegions.A][primary].Kill();

        await Regions[TwoRegions.A].WaitForPrimaryOtherThanAsync(primary);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await a.WriteAsync(20);
        await Eventually.HoldsAsync(
            async () =>
            {
                Assert.Empty(a.Acknowledged.Except(await a.ReadAsync()));
                Assert.Equal(await LengthAsync(TwoRegions.A, 1), await LengthAsync(TwoRegions.B, 0));
                Assert.Equal(await LengthAsync(TwoRegions.A, 1), await LengthAsync(TwoRegions.B, 1));
            },
            "nothing is lost", s_bound);
        Assert.Null(agent.Attention);
        // The marks of the permission are always under way.
        Assert.InRange(agent.LagBytes!.Value, 0, 10_000);
    }

    [Fact]
    public async Task An_agent_that_ends_is_replaced_in_time_and_a_head_that_is_lost_too()
    {
        var first = await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var second = await Regions.StartAgentAsync(TwoRegions.A);
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        var epoch = a.Monitor.Current!.Epoch;
        Assert.Equal((true, false), (first.IsWorking, second.IsWorking));

        using var ending = new CancellationTokenSource();
        var refused = 0;
        var writing = Task.Run(async () =>
        {
            while (!ending.IsCancellationRequested)
            {
                try
                {
                    await a.WriteAsync();
                }
                catch (RegionNotActiveException)
                {
                    refused++;
                }
                await Task.Delay(5);
            }
        });
        await first.DisposeAsync();
        await Eventually.TrueAsync(() => second.IsWorking && second.IsActive, "the other one works");
        // Longer than the permission of the first one could last.
        await Task.Delay(TimeSpan.FromSeconds(5));
        await ending.CancelAsync();
        await writing;
        Assert.Equal((0, epoch), (refused, a.Monitor.Current!.Epoch));

        Regions[TwoRegions.B][Regions[TwoRegions.B].Topology.Primary].Kill();
        await a.WriteAsync(10);
        await Eventually.TrueAsync(async () => await LengthAsync(TwoRegions.B, 1) == await LengthAsync(TwoRegions.A, 0),
            "B's other server follows A", s_bound);
        await Regions[TwoRegions.B][Regions[TwoRegions.B].Topology.Primary].StartAsync();
        await Eventually.TrueAsync(async () => await LengthAsync(TwoRegions.B, 0) == await LengthAsync(TwoRegions.A, 0),
            "the first one is back", s_bound);
    }

    private async Task<long> LengthAsync(string region, int server)
        => (long)(await Regions.ExecuteAsync(region, Regions[region].Topology.Servers[server], "LLEN", RegionClient.List))!;
}
