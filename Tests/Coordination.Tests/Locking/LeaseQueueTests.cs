using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>Who gets a lease next, and that the queue neither stops nor leaves anything behind.</summary>
public sealed class LeaseQueueTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };

    [Fact]
    public async Task Waiters_of_two_processes_get_the_lease_in_the_order_in_which_they_came()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await one.Leases.AcquireAsync("fifo", s_long);
        var served = new ConcurrentQueue<(int Number, long Token)>();
        var waiting = new List<Task>();
        for (var i = 0; i < 20; i++)
        {
            waiting.Add(ServeAsync(i % 3 == 0 ? other : one, i));
            await one.UntilQueuedAsync("fifo", i + 1);
        }

        await held.DisposeAsync();
        await Task.WhenAll(waiting).WaitAsync(s_bound);

        Assert.Equal(Enumerable.Range(0, 20), served.Select(s => s.Number));
        Assert.Equal(served.Select(s => s.Token).Order(), served.Select(s => s.Token));
        await NothingIsLeftAsync(one, "fifo");

        async Task ServeAsync(TestClient client, int number)
        {
            await using var lease = await client.Leases.AcquireAsync("fifo", s_long);
            served.Enqueue((number, lease.FencingToken));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_newcomer_does_not_overtake_when_the_lease_is_free_but_somebody_waits(bool fenceIsEvicted)
    {
        var name = $"overtake:{fenceIsEvicted}";
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync(name, "somebody");
        var first = client.Leases.AcquireAsync(name, s_long);
        await client.UntilQueuedAsync(name, 1);
        // A client that knows of no queue gives it back, and tells nobody.
        await client.Database.KeyDeleteAsync(name);
        if (fenceIsEvicted)
        {
            Assert.True(await client.Database.KeyDeleteAsync($"{{{name}}}:fence"));
        }

        Assert.Null(await client.Leases.TryAcquireAsync(name, s_long with { WaitTimeout = TimeSpan.Zero }));

        // Yet the newcomer has handed it to whom it is due.
        var lease = await first.WaitAsync(s_bound);
        await lease.DisposeAsync();
        await using var next = await client.Leases.AcquireAsync(name, s_long);
        Assert.True(next.FencingToken > lease.FencingToken);
        await next.DisposeAsync();
        await NothingIsLeftAsync(client, name);
    }

    [Fact]
    public async Task A_lease_is_handed_over_also_when_its_last_token_was_evicted()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync("evicted", s_long);
        var waiting = other.Leases.AcquireAsync("evicted", s_long);
        await client.UntilQueuedAsync("evicted", 1);
        Assert.True(await client.Database.KeyDeleteAsync("{evicted}:fence"));

        await held.DisposeAsync();

        await using var lease = await waiting.WaitAsync(s_long.Ttl / 2);
        Assert.True(lease.FencingToken > held.FencingToken);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public async Task Waiters_that_died_with_their_process_cost_one_claim_time(int waiters)
    {
        var name = $"dead-waiters:{waiters}";
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync(name, s_long);
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, name, $"{waiters}"]);
        await client.UntilQueuedAsync(name, waiters);
        var next = other.Leases.AcquireAsync(name, s_long);
        await client.UntilQueuedAsync(name, waiters + 1);
        puppet.Kill();

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        await using var lease = await next.WaitAsync(s_bound);

        Assert.InRange(clock.Elapsed, s_long.ClaimTime * 0.9, s_long.ClaimTime * 4);
    }

    [Fact]
    public async Task A_process_that_is_frozen_while_queued_costs_one_claim_time_and_queues_again_when_it_thaws()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync("frozen-waiter", s_long);
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, "frozen-waiter", "3"]);
        await client.UntilQueuedAsync("frozen-waiter", 3);
        var next = other.Leases.AcquireAsync("frozen-waiter", s_long);
        await client.UntilQueuedAsync("frozen-waiter", 4);
        await FreezeAsync(puppet);

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        var lease = await next.WaitAsync(s_bound);
        Assert.InRange(clock.Elapsed, s_long.ClaimTime * 0.9, s_long.ClaimTime * 4);

        puppet.Thaw();
        // The one whose claim ran out looks, and has the others of its process look.
        await client.UntilQueuedAsync("frozen-waiter", 3);
        await lease.DisposeAsync();
        await puppet.WaitForOutputAsync("holding");
    }

    [Fact]
    public async Task A_process_that_died_with_the_lease_and_with_waiters_costs_its_TTL_and_one_claim_time()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, "all-dead", "10"]);
        await puppet.WaitForOutputAsync("holding");
        await client.UntilQueuedAsync("all-dead", 9);
        var next = client.Leases.AcquireAsync("all-dead", s_long);
        await client.UntilQueuedAsync("all-dead", 10);

        var clock = Stopwatch.StartNew();
        puppet.Kill();
        await using var lease = await next.WaitAsync(s_bound);

        // And a few claim times for a machine that is busy; one for each of the dead would be ten.
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, new LeaseOptions().Ttl + (s_long.ClaimTime * 8));
    }

    [Fact]
    public async Task A_waiter_does_not_sleep_for_the_TTL_of_an_owner_that_has_gone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync("mixed", s_long);
        await using var puppet = PuppetProcess.Start("lease", [redis.ConnectionString, "mixed", "1000"]);
        await client.UntilQueuedAsync("mixed", 1);
        var next = client.Leases.AcquireAsync("mixed", s_long with { Ttl = TimeSpan.FromSeconds(2) });
        await client.UntilQueuedAsync("mixed", 2);

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        await puppet.WaitForOutputAsync("holding");
        puppet.Kill();
        await using var lease = await next.WaitAsync(s_bound);

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, s_long.Ttl / 2);
    }

    [Fact]
    public async Task The_releaser_may_die_after_it_has_handed_over_to_a_dead_waiter()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("two-dead", "somebody");
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, "two-dead", "2"]);
        await client.UntilQueuedAsync("two-dead", 2);
        var next = client.Leases.AcquireAsync("two-dead", s_long);
        await client.UntilQueuedAsync("two-dead", 3);
        puppet.Kill();
        await client.Database.KeyDeleteAsync("two-dead");

        // Hands over, and never does anything again.
        await using (var passer = await TestClient.ConnectAsync(redis.ConnectionString))
        {
            Assert.Null(await passer.Leases.TryAcquireAsync("two-dead", s_long with { WaitTimeout = TimeSpan.Zero }));
        }

        await using var lease = await next.WaitAsync(s_bound);
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_hand_over_while_the_subscription_is_broken_is_found_when_it_is_back()
    {
        await using var holder = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        for (var round = 0; round < 10; round++)
        {
            var held = await holder.Leases.AcquireAsync("unheard", s_long);
            var waiting = client.Leases.AcquireAsync("unheard", s_long);
            await holder.UntilQueuedAsync("unheard", 1);

            // In one step, so that the hand-over finds nobody who listens.
            var clock = Stopwatch.StartNew();
            var kill = holder.Database.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
            await held.DisposeAsync();
            await kill;

            await (await waiting.WaitAsync(s_bound)).DisposeAsync();
            Assert.True(clock.Elapsed < s_long.Ttl / 4, $"{clock.Elapsed}");
        }
    }

    [Fact]
    public async Task Without_any_messages_a_waiter_looks_when_the_TTL_of_the_owner_is_over()
    {
        await using var server = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0,
            ServerSettings = ["rename-command PUBLISH \"\""] });
        await using var holder = await TestClient.ConnectAsync(server.ConnectionString);
        await using var client = await TestClient.ConnectAsync(server.ConnectionString);
        var ttl = TimeSpan.FromSeconds(2);
        var held = await holder.Leases.AcquireAsync("mute", s_long with { Ttl = ttl });
        var waiting = client.Leases.AcquireAsync("mute", s_long);
        await client.UntilQueuedAsync("mute", 1);

        await held.DisposeAsync();

        var clock = Stopwatch.StartNew();
        await (await waiting.WaitAsync(s_bound)).DisposeAsync();
        Assert.True(clock.Elapsed < ttl * 2.5, $"{clock.Elapsed}");
        await NothingIsLeftAsync(client, "mute");
    }

    [Fact]
    public async Task Cancellation_that_meets_the_hand_over_leaves_nothing_behind()
    {
        await using var holder = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var served = 0;
        for (var i = 0; i < 400; i++)
        {
            var held = await holder.Leases.AcquireAsync("cancel-race", s_long);
            using var cancellation = new CancellationTokenSource();
            var racing = client.Leases.AcquireAsync("cancel-race", s_long, cancellation.Token);
            var behind = client.Leases.AcquireAsync("cancel-race", s_long);
            await holder.UntilQueuedAsync("cancel-race", 2);

            var releasing = held.DisposeAsync().AsTask();
            // From before the hand-over to well after it.
            var clock = Stopwatch.StartNew();
            SpinWait.SpinUntil(() => clock.Elapsed.TotalMilliseconds > i * 0.01);
            await cancellation.CancelAsync();
            try
            {
                await (await racing).DisposeAsync();
                served++;
            }
            catch (OperationCanceledException)
            {
                // Either outcome is right.
            }
            await releasing;
            // At once: a claim time each would be too long for all of them.
            await (await behind.WaitAsync(s_bound)).DisposeAsync();
        }
        Assert.InRange(served, 1, 399);
        await NothingIsLeftAsync(client, "cancel-race");
    }

    [Fact]
    public async Task Waits_that_run_out_during_the_hand_over_leave_nothing_behind()
    {
        await using var holder = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        for (var i = 0; i < 100; i++)
        {
            var held = await holder.Leases.AcquireAsync("timeout-race", s_long);
            var racing = client.Leases.TryAcquireAsync("timeout-race", s_long with { WaitTimeout = TimeSpan.FromMilliseconds(10) });
            var clock = Stopwatch.StartNew();
            SpinWait.SpinUntil(() => clock.Elapsed.TotalMilliseconds > 8 + (i % 20 * 0.25));
            await held.DisposeAsync();
            if (await racing is { } lease)
            {
                await lease.DisposeAsync();
            }
        }
        await NothingIsLeftAsync(client, "timeout-race");
    }

    [Fact]
    public async Task Fifty_contenders_of_two_processes_exclude_each_other_and_win_equally_often()
    {
        const int Contenders = 50;
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var wins = new int[Contenders];
        var inside = 0;
        var count = 0;
        using var enough = new CancellationTokenSource();
        var last = 0L;

        await Task.WhenAll(Enumerable.Range(0, Contenders).Select(async i =>
        {
            while (!enough.IsCancellationRequested)
            {
                await using var lease = await (i % 2 == 0 ? one : other).Leases.AcquireAsync("contended50", s_long);
                Assert.Equal(1, Interlocked.Increment(ref inside));
                Assert.True(lease.FencingToken > last);
                last = lease.FencingToken;
                // Not atomic on purpose: the lease guards it.
                count++;
                wins[i]++;
                if (count == Contenders * 20)
                {
                    await enough.CancelAsync();
                }
                Interlocked.Decrement(ref inside);
            }
        }));

        Assert.Equal(count, wins.Sum());
        Assert.True(wins.Max() <= 1.5 * wins.Min(), $"{wins.Min()} to {wins.Max()} wins");
        await NothingIsLeftAsync(one, "contended50");
    }

    [Fact]
    public async Task Waiters_queue_again_when_the_queue_is_lost()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("lost-queue", "somebody", TimeSpan.FromSeconds(2));
        var waiting = Enumerable.Range(0, 5).Select(_ => client.Leases.AcquireAsync("lost-queue", s_long)).ToList();
        await client.UntilQueuedAsync("lost-queue", 5);
        Assert.True(await client.Database.KeyDeleteAsync("{lost-queue}:queue"));

        foreach (var _ in Enumerable.Range(0, 5))
        {
            var next = await Task.WhenAny(waiting).WaitAsync(s_bound);
            waiting.Remove(next);
            await (await next).DisposeAsync();
        }
        await NothingIsLeftAsync(client, "lost-queue");
    }

    [Fact]
    public async Task A_queue_does_not_live_for_ever()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var held = await client.Leases.AcquireAsync("mortal", s_long);
        using var cancellation = new CancellationTokenSource();
        var waiting = client.Leases.AcquireAsync("mortal", s_long, cancellation.Token);
        await client.UntilQueuedAsync("mortal", 1);

        var left = await client.Database.KeyTimeToLiveAsync("{mortal}:queue");

        // Longer than the waiter sleeps, or it would lose its place.
        Assert.InRange(left ?? TimeSpan.MaxValue, s_long.Ttl, TimeSpan.FromMinutes(5));
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("{mortal}:queue"), "the queue is gone");
    }

    [Fact]
    public async Task An_attempt_that_is_made_again_finds_what_the_first_one_made()
    {
        await using var server = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(server.ConnectionString, configure: o => o.AsyncTimeout = 300);
        await client.Database.StringSetAsync("ambiguous", "somebody", TimeSpan.FromSeconds(2));
        var waiting = client.Leases.AcquireAsync("ambiguous", s_long);
        await client.UntilQueuedAsync("ambiguous", 1);
        // The look at the end of the TTL times out and takes effect all the same.
        server.Server.Freeze();
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        await other.Database.StringSetAsync("ambiguous:clock", "", TimeSpan.FromSeconds(4));
        await Eventually.TrueAsync(async () => !await other.Database.KeyExistsAsync("ambiguous:clock"), "the look has timed out");
        server.Server.Thaw();

        var lease = await waiting.WaitAsync(s_bound);
        Assert.True(await client.Database.KeyTimeToLiveAsync("ambiguous") > s_long.ClaimTime);
        await lease.DisposeAsync();
        await NothingIsLeftAsync(client, "ambiguous");
    }

    [Fact]
    public async Task A_client_that_knows_of_no_queue_excludes_waiters_and_is_excluded_by_them()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var ttl = TimeSpan.FromSeconds(1);
        for (var round = 0; round < 3; round++)
        {
            Assert.True(await client.Database.StringSetAsync("mixed", "somebody", ttl, When.NotExists));
            var waiting = Enumerable.Range(0, 3).Select(_ => client.Leases.AcquireAsync("mixed", s_long)).ToList();
            await client.UntilQueuedAsync("mixed", 3);
            Assert.DoesNotContain(waiting, w => w.IsCompleted);
            // Given back early in some rounds, which nobody is told; never given back in others.
            if (round > 0)
            {
                Assert.True(await DeleteIfAsync(client, "mixed", "somebody"));
            }
            var clock = Stopwatch.StartNew();
            while (waiting.Count > 0)
            {
                var next = await Task.WhenAny(waiting).WaitAsync(s_bound);
                waiting.Remove(next);
                await using var lease = await next;
                Assert.True(waiting.TrueForAll(w => !w.IsCompleted));
                Assert.False(await client.Database.StringSetAsync("mixed", "somebody", ttl, When.NotExists));
                Assert.False(await DeleteIfAsync(client, "mixed", "somebody"));
                lease.ThrowIfLost();
            }
            Assert.True(clock.Elapsed < ttl * 3, $"{clock.Elapsed}");
        }
        await NothingIsLeftAsync(client, "mixed");
    }

    [Fact]
    public async Task A_client_that_takes_the_lease_between_claim_and_confirmation_delays_the_waiters_and_no_more()
    {
        await using var holder = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await holder.Leases.AcquireAsync("stolen", s_long);
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, "stolen", "1"]);
        await holder.UntilQueuedAsync("stolen", 1);
        var waiting = client.Leases.AcquireAsync("stolen", s_long);
        await holder.UntilQueuedAsync("stolen", 2);
        await FreezeAsync(puppet);
        await held.DisposeAsync();
        Assert.StartsWith("*", (await client.Database.SortedSetRangeByRankAsync("{stolen}:queue", 0, 0)).Single(),
            StringComparison.Ordinal);
        // As if the claim had just run out, before anybody looked.
        await client.Database.StringSetAsync("stolen", "somebody", TimeSpan.FromSeconds(3));

        await using var lease = await waiting.WaitAsync(s_bound);
        lease.ThrowIfLost();
    }

    /// <summary>The signal alone does not wait until every thread has stopped.</summary>
    private static Task FreezeAsync(ServiceProcess process)
    {
        process.Freeze();
        return Eventually.TrueAsync(
            () => Array.TrueForAll(
                Directory.GetDirectories($"/proc/{process.ProcessId}/task"),
                thread => File.ReadAllText(Path.Combine(thread, "stat")).Contains(") T ", StringComparison.Ordinal)),
            "the process is frozen");
    }

    private static async Task<bool> DeleteIfAsync(TestClient client, string key, string token)
        => (int)await client.Database.ScriptEvaluateAsync(
            "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0", [key], [token]) == 1;

    private static Task NothingIsLeftAsync(TestClient client, string resource)
        => Eventually.TrueAsync(
            async () => !await client.Database.KeyExistsAsync(resource) && !await client.Database.KeyExistsAsync($"{{{resource}}}:queue"),
            "the lease is free and the queue gone");
}
