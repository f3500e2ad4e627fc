using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Regions;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Regions.Tests;

/// <summary>The right to accept writes passes from one region to the other as planned.</summary>
public sealed class SwitchTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync(TimeSpan.FromMilliseconds(40));

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Fact]
    public async Task Switches_in_both_directions_lose_nothing_and_hold_writes_up_for_a_moment()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var clients = new[] { await Regions.ConnectAsync(TwoRegions.A), await Regions.ConnectAsync(TwoRegions.B) };
        await Eventually.HoldsAsync(() => clients[0].WriteAsync(), "A accepts writes", s_bound);
        var operation = Regions.CreateOperator(TwoRegions.A);
        Assert.Contains("active one already", (await RefusedAsync(() => operation.SwitchAsync(TwoRegions.A))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => operation.SwitchAsync("c"));

        using var ending = new CancellationTokenSource();
        var leases = clients.Select(c => new RedisLeaseProvider(c.Redis)).ToList();
        var longest = TimeSpan.Zero;
        var other = new List<Exception>();
        var writing = Task.Run(async () =>
        {
            var (at, active) = (Stopwatch.GetTimestamp(), 0);
            while (!ending.IsCancellationRequested)
            {
                try
                {
                    await clients[active].WriteAsync();
                    var gap = Stopwatch.GetElapsedTime(at);
                    longest = gap > longest ? gap : longest;
                    at = Stopwatch.GetTimestamp();
                }
                catch (RegionNotActiveException e)
                {
                    active = e.ActiveRegion == "b" ? 1 : 0;
                    await Task.Delay(5);
                }
                catch (Exception e)
                {
                    other.Add(e);
                }
            }
        });
        var longestLease = TimeSpan.Zero;
        var leasing = Enumerable.Range(0, 12).Select(n => Task.Run(async () =>
        {
            var (at, active) = (Stopwatch.GetTimestamp(), 0);
            while (!ending.IsCancellationRequested)
            {
                try
                {
                    // Far longer than a switch takes: one that was not given back would be seen.
                    await using var lease = await leases[active].TryAcquireAsync($"leased:{n}", new LeaseOptions { Ttl = s_bound });
                    if (lease is not null)
                    {
                        Without(at);
                        at = Stopwatch.GetTimestamp();
                    }
                    await Task.Delay(20);
                }
                catch (Exception e)
                {
                    active = e is RegionNotActiveException refused ? refused.ActiveRegion == "b" ? 1 : 0 : active;
                    await Task.Delay(5);
                }
            }
            // A gap that lasts.
            Without(at);
        })).ToList();
        var held = new List<double>();
        for (var i = 0; i < 4; i++)
        {
            var (from, to) = i % 2 == 0 ? (TwoRegions.A, TwoRegions.B) : (TwoRegions.B, TwoRegions.A);
            var result = await operation.SwitchAsync(to);
            held.Add(result.Held.TotalMilliseconds);
            await Regions.UntilAttachedAsync(active: to, standby: from);
            var status = await operation.StatusAsync();
            Assert.Equal(3, status.Regions.First(r => r.Name == to).SentinelsMonitoring);
            Assert.Equal((to, result.Epoch, to), (status.ActiveRegion, status.Epoch, status.LeaseHolder));
            Assert.Equal(0, status.Regions.First(r => r.Name == from).SentinelsMonitoring);
        }
        await ending.CancelAsync();
        await writing;
        await Task.WhenAll(leasing);
        Console.WriteLine($"Longest without a lease {longestLease.TotalMilliseconds:0} ms");
        Console.WriteLine($"Held for {string.Join(", ", held.Select(h => $"{h:0}"))} ms; longest without a write {longest.TotalMilliseconds:0} ms; "
            + $"{clients[0].Acknowledged.Count} and {clients[1].Acknowledged.Count} writes, {other.Count} other failures");
        Assert.Empty(clients.SelectMany(c => c.Acknowledged).Except(await clients[0].ReadAsync()));
        Assert.All(clients, c => Assert.NotEmpty(c.Acknowledged));
        Assert.All(other, e => Assert.NotEqual(RedisFailureKind.Final, RedisFailure.Of(e)));
        Assert.All(held, h => Assert.InRange(h, 0, 2500));
        Assert.InRange(longestLease, TimeSpan.Zero, TimeSpan.FromSeconds(5));

        void Without(long since)
        {
            lock (leases)
            {
                var gap = Stopwatch.GetElapsedTime(since);
                longestLease = gap > longestLease ? gap : longestLease;
            }
        }
    }

    [Fact]
    public async Task A_client_that_has_taken_its_primary_for_a_replica_writes_when_that_is_the_primary_again()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        var operation = Regions.CreateOperator(TwoRegions.B);
        await operation.SwitchAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync(TwoRegions.B, TwoRegions.A);
        // As it does once a minute.
        await a.Redis.Shards[0].Connection.ConfigureAsync();
        Assert.All(a.Redis.Shards[0].Connection.GetServers(), s => Assert.True(s.IsReplica));

        await Eventually.HoldsAsync(() => operation.SwitchAsync(TwoRegions.A), "it is switched back", s_bound);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes again", TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task Consumers_of_a_standby_read_nothing_and_begin_when_it_is_active()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var (logOfA, logOfB) = (new CapturedLog(), new CapturedLog());
        var (a, b) = (await Regions.ConnectAsync(TwoRegions.A, logOfA), await Regions.ConnectAsync(TwoRegions.B, logOfB));
        await using var inA = new ConsumingService(a, logOfA);
        await using var inB = new ConsumingService(b, logOfB);
        await Eventually.HoldsAsync(() => inA.AppendAsync(1), "A accepts events", s_bound);
        await inA.AppendAsync(9);
        await Eventually.TrueAsync(() => inA.Handled.Count == 10, "A handles them");
        Assert.Empty(inB.Handled);
        await Assert.ThrowsAsync<RegionNotActiveException>(() => inB.AppendAsync(1));

        // One is in the middle of its work when its region becomes a standby.
        inA.Hold();
        await inA.AppendAsync(1);
        await inA.Waiting.Task.WaitAsync(s_bound);
        await Regions.CreateOperator(TwoRegions.A).SwitchAsync(TwoRegions.B);
        inA.Release();
        var switched = Stopwatch.StartNew();
        await Eventually.HoldsAsync(() => inB.AppendAsync(1), "B accepts events", s_bound);
        var accepted = switched.Elapsed;
        await Eventually.TrueAsync(() => !inB.Handled.IsEmpty, "B handles it");
        Console.WriteLine($"After the switch: first event accepted after {accepted.TotalMilliseconds:0} ms, handled after "
            + $"{switched.ElapsedMilliseconds} ms");
        await inB.AppendAsync(20);
        await Eventually.TrueAsync(() => inB.Handled.Count == 22, "B handles them, and the one that A had begun with");
        Assert.Equal(10, inA.Handled.Count);
        await Assert.ThrowsAsync<RegionNotActiveException>(() => inA.AppendAsync(1));

        // Each process says once of each change what has changed, and nothing of what was refused because of it.
        Assert.Equal([("Region b does not accept writes", LogLevel.Information), ("Region b accepts writes", LogLevel.Information)],
            ChangesIn(logOfB));
        Assert.Equal(("Region a does not accept writes", LogLevel.Information), ChangesIn(logOfA)[^1]);
        Assert.DoesNotContain(logOfA.Lines.Concat(logOfB.Lines),
            l => l.Exception is not null && $"{l.Exception}".Contains(nameof(RegionNotActiveException), StringComparison.Ordinal));

        static List<(string What, LogLevel Level)> ChangesIn(CapturedLog log) => [.. log.Lines
            .Where(l => l.Category == typeof(RegionMonitor) && l.Level > LogLevel.Debug).Select(l => (l.Text.Split(';')[0], l.Level))];
    }

    [Fact]
    public async Task A_switch_is_undone_when_the_standby_does_not_catch_up_and_only_one_is_made_at_a_time()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        var epoch = a.Monitor.Current!.Epoch;
        using var ending = new CancellationTokenSource();
        var writing = a.WriteUntilAsync(ending.Token);

        // The head answers what is asked of it, and what A's primary sends does not arrive.
        var operation = Regions.CreateOperator(TwoRegions.A);
        var second = Regions.CreateOperator(TwoRegions.A);
        await Task.WhenAll(operation.StatusAsync(), second.StatusAsync());
        Regions.CutWayTo(TwoRegions.A, true);
        var refused = await RefusedAsync(() => operation.SwitchAsync(TwoRegions.B));
        Assert.False(refused.IsChanged);
        Assert.Contains("did not catch up", refused.Message, StringComparison.Ordinal);
        Regions.CutWayTo(TwoRegions.A, false);
        var count = a.Acknowledged.Count;
        await Eventually.TrueAsync(() => a.Acknowledged.Count > count, "writes go on");
        Assert.Equal(epoch, a.Monitor.Current!.Epoch);
        await Eventually.TrueAsync(async () => (await second.StatusAsync()).Regions.First(r => r.Name == "a").SentinelsMonitoring == 3,
            "the Sentinels monitor A again");
        await Regions.UntilAttachedAsync();

        var both = await Task.WhenAll(TryAsync(operation), TryAsync(second));
        Assert.Single(both, e => e is null);
        Assert.Contains(both, e => e is RegionException { IsChanged: false });
        await ending.CancelAsync();
        await writing;
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        Assert.Empty(a.Acknowledged.Except(await b.ReadAsync()));

        static async Task<Exception?> TryAsync(RegionOperator operation)
        {
            try
            {
                await operation.SwitchAsync(TwoRegions.B);
                return null;
            }
            catch (Exception e)
            {
                return e;
            }
        }
    }

    [Fact]
    public async Task A_primary_that_dies_in_the_middle_of_a_switch_is_replaced_in_its_region_and_a_witness_that_is_lost_is_not_missed()
    {
        await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        await Eventually.HoldsAsync(() => a.WriteAsync(Durability.Replica), "A accepts writes", s_bound);
        await a.WriteAsync(20, Durability.Replica);
        Regions.Witnesses.Processes.Values.First().Kill();

        // Held up, and let go of by its Sentinels, while the standby does not catch up.
        var operation = Regions.CreateOperator(TwoRegions.A);
        var looking = Regions.CreateOperator(TwoRegions.A);
        await Task.WhenAll(operation.StatusAsync(), looking.StatusAsync());
        Regions.CutWayTo(TwoRegions.A, true);
        var switching = operation.SwitchAsync(TwoRegions.B);
        await Eventually.TrueAsync(async () => (await looking.StatusAsync()).Regions.First(r => r.Name == "a").SentinelsMonitoring == 0,
            "the Sentinels have let go of A");
        Regions[TwoRegions.A][Regions[TwoRegions.A].Topology.Primary].Kill();
        Assert.False((await RefusedAsync(() => switching)).IsChanged);
        Regions.CutWayTo(TwoRegions.A, false);

        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes at its other server", s_bound);
        Assert.Empty(a.Acknowledged.Except(await a.ReadAsync()));
        await Eventually.HoldsAsync(
            async () =>
            {
                var status = await looking.StatusAsync();
                Assert.Equal(("a", "a", 3), (status.ActiveRegion, status.LeaseHolder, status.Regions.First(r => r.Name == "a").SentinelsMonitoring));
                Assert.True(status.Regions.First(r => r.Name == "b").IsInSync, "B is in sync");
            },
            "everything is as it was, but for what was killed", s_bound);
    }

    private static Task<RegionException> RefusedAsync(Func<Task> operation) => Assert.ThrowsAsync<RegionException>(operation);
}
