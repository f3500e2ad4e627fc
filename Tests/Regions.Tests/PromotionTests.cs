using System.Diagnostics;
using AspireRedis.Coordination.Regions;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Regions.Tests;

/// <summary>The active region is lost, and the other one takes over.</summary>
public sealed class PromotionTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync();

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Fact]
    public async Task After_kill_9_of_everything_in_A_B_is_promoted_and_A_cannot_write_when_it_is_back()
    {
        var agent = await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B, o => o.PromoteAutomatically = true);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => b.WriteAsync());
        Assert.Equal("a", refused.ActiveRegion);
        await a.WriteAsync(200);
        await Eventually.TrueAsync(async () => (await Regions.NumbersAsync(TwoRegions.B)).Length >= 201, "B has them");

        var lost = Stopwatch.StartNew();
        Regions.Kill(TwoRegions.A);
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        Console.WriteLine($"From the loss of A to the first write in B: {lost.Elapsed.TotalSeconds:0.00} s");
        Assert.Empty(a.Acknowledged.Except(await b.ReadAsync()));

        // Both follow now, and what they have is kept.
        await b.WriteAsync(100);
        await Regions.ReviveAsync(TwoRegions.A);
        for (var i = 0; i < 20; i++)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => a.WriteAsync());
        }
        await Eventually.TrueAsync(() => agent.Attention is not null, "a person is asked for, as A's servers have forgotten their history");
        // The Sentinels of A know B's head from before, and take it back after ten seconds where they are let in.
        await Task.Delay(TimeSpan.FromSeconds(15));
        Assert.Empty(b.Acknowledged.Except(await b.ReadAsync()));
        Assert.Empty(a.Acknowledged.Except(await b.ReadAsync()));
        // Nobody has attached it yet, and all the same it knows from the witnesses who is active.
        var named = await Assert.ThrowsAsync<RegionNotActiveException>(() => a.WriteAsync());
        Assert.Equal(("b", b.Monitor.Current!.Epoch), (named.ActiveRegion, named.Epoch));

        // What B is, its servers know when they start again. Without CONFIG REWRITE the head would be A's replica.
        Regions.Kill(TwoRegions.B);
        await Regions.ReviveAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        Assert.Empty(b.Acknowledged.Except(await b.ReadAsync()));
    }

    [Fact]
    public async Task A_region_that_was_frozen_and_wakes_after_the_promotion_of_the_other_accepts_nothing_and_follows_it()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B, o => o.PromoteAutomatically = true);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await a.WriteAsync(50);
        await Eventually.TrueAsync(async () => (await Regions.NumbersAsync(TwoRegions.B)).Length >= a.Acknowledged.Count, "B has them");

        Regions.Freeze(TwoRegions.A);
        // These lie in its sockets.
        var queued = Enumerable.Range(0, 20).Select(_ => a.WriteAsync()).ToList();
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        using var ending = new CancellationTokenSource();
        var writing = a.WriteUntilAsync(ending.Token);
        var before = a.Acknowledged.Count;
        Regions.Thaw(TwoRegions.A);
        await Regions.UntilAttachedAsync(active: TwoRegions.B, standby: TwoRegions.A);
        await ending.CancelAsync();
        await writing;
        foreach (var write in queued)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => write);
        }
        Assert.Equal(before, a.Acknowledged.Count);
        await b.WriteAsync(50);
        Assert.Empty(a.Acknowledged.Concat(b.Acknowledged).Except(await b.ReadAsync()));
        var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => a.WriteAsync());
        Assert.Equal("b", refused.ActiveRegion);
    }

    [Fact]
    public async Task A_region_that_is_cut_off_from_the_witnesses_stops_accepting_when_its_lease_is_over()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        var standby = await Regions.StartAgentAsync(TwoRegions.B, o => o.PromoteAutomatically = true);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);

        var cut = Stopwatch.StartNew();
        Regions.CutFromWitnesses(true);
        RegionNotActiveException? refused = null;
        await Eventually.HoldsAsync(
            async () => refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => a.WriteAsync()), "A refuses", s_bound);
        Assert.InRange(cut.Elapsed.TotalSeconds, 1, 4.5);
        Assert.Equal("a", refused!.ActiveRegion);
        // B reaches A, which is not lost, so nobody takes its place.
        await Task.Delay(TimeSpan.FromSeconds(6));
        Assert.False(standby.IsActive);
        Assert.Equal("a", (await Regions.CreateOperator(TwoRegions.B).StatusAsync()).ActiveRegion);

        Regions.CutFromWitnesses(false);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes again", s_bound);
        Assert.True(a.Monitor.Current!.Epoch > refused.Epoch);
        Assert.Empty(a.Acknowledged.Except(await a.ReadAsync()));
    }
}
