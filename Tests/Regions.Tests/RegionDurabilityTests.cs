using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Regions.Tests;

/// <summary>Writes that the standby has before they are acknowledged.</summary>
public sealed class RegionDurabilityTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync(TimeSpan.FromMilliseconds(40));

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Fact]
    public async Task What_is_acknowledged_at_level_Region_is_in_the_standby_and_nothing_is_while_that_is_away()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B, o => o.PromoteAutomatically = true);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(Durability.Region), "A accepts writes", s_bound);
        var times = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var began = Stopwatch.GetTimestamp();
            await a.WriteAsync(Durability.Region);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            // Not in a moment: at this one.
            Assert.Empty(a.Acknowledged.Except(await Regions.NumbersAsync(TwoRegions.B)));
        }
        var together = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => a.WriteAsync(Durability.Region)));
        Console.WriteLine($"Level Region at 40 ms each way: {string.Join(", ", times.Select(t => $"{t:0}"))} ms; 50 together "
            + $"{together.ElapsedMilliseconds} ms");

        await Eventually.HoldsAsync(() => AssertNotPromotableAsync(a), "no Sentinel of A would promote a server of B", s_bound);

        // The line is cut: what is written is not acknowledged, until the primary has noticed that nobody follows.
        Regions.CutWayTo(TwoRegions.A, true);
        var acknowledged = a.Acknowledged.Count;
        await Assert.ThrowsAsync<NotDurableException>(() => a.WriteAsync(Durability.Region));
        await a.WriteAsync(Durability.Replica);
        Regions.CutWayTo(TwoRegions.A, false);
        await Eventually.HoldsAsync(() => a.WriteAsync(Durability.Region), "level Region is back", s_bound);
        foreach (var server in Regions[TwoRegions.B].Topology.Servers)
        {
            Regions[TwoRegions.B][server].Kill();
        }
        await Eventually.HoldsAsync(async () => await Assert.ThrowsAsync<RedisUnavailableException>(() => a.WriteAsync(Durability.Region)),
            "it is refused at once", s_bound);
        foreach (var server in Regions[TwoRegions.B].Topology.Servers)
        {
            await Regions[TwoRegions.B][server].StartAsync();
        }
        await Regions.UntilAttachedAsync();

        // And with A everything else is lost.
        using var ending = new CancellationTokenSource();
        var writing = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => a.WriteUntilAsync(ending.Token, Durability.Region)));
        await Eventually.TrueAsync(() => a.Acknowledged.Count > acknowledged + 50, "some are written");
        Regions.Kill(TwoRegions.A);
        await ending.CancelAsync();
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        await writing;
        Assert.Empty(a.Acknowledged.Except(await b.ReadAsync()));
    }

    [Fact]
    public async Task Without_regions_there_is_no_such_level()
    {
        await using var redis = await RedisDeployment.ConnectAsync(Regions[TwoRegions.A].Topology.ConnectionString);
        await using var writer = new DurableWriter(redis, Microsoft.Extensions.Options.Options.Create(new DurableWriterOptions()));
        var refused = await Assert.ThrowsAsync<DurabilityNotSupportedException>(
            () => writer.EvaluateAsync(RedisScript.Load<PermitTests>("add"), ["list"], ["x"], Durability.Region, CancellationToken.None));
        Assert.Equal(Durability.Region, refused.Durability);
    }

    /// <summary>
    /// All Sentinels of A know the standby's head, which they find within ten seconds, and hold it for down, as it does not let them in;
    /// and the client has heard so.
    /// </summary>
    private async Task AssertNotPromotableAsync(RegionClient a)
    {
        var topology = Regions[TwoRegions.A].Topology;
        var head = Regions[TwoRegions.B].Topology.Primary.Address.ToString();
        foreach (var sentinel in topology.Sentinels)
        {
            var replicas = ((object?[])(await Regions.ExecuteAsync(
                TwoRegions.A, sentinel, "SENTINEL", "REPLICAS", topology.Options.ServiceName))!).Cast<object?[]>().ToList();
            var known = Assert.Single(replicas, r => (string?)r[Array.IndexOf(r, "name") + 1] == head);
            Assert.Contains("s_down", (string)known[Array.IndexOf(known, "flags") + 1]!, StringComparison.Ordinal);
        }
        var shard = a.Redis.Shards[0];
        var followers = Regions[TwoRegions.A].Topology.Replicas.Select(r => r.Address.ToString()).Append(head)
            .ToDictionary(n => n, _ => 0L);
        Assert.Equal(1, shard.Follower!.PromotableReplicasOf(shard.KnownPrimary!, followers).Count);
    }
}
