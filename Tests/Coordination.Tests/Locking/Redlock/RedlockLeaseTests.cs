using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

public sealed class RedlockLeaseTests(RedlockFixture redis) : IClassFixture<RedlockFixture>
{
    private const string CompareAndDelete =
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

    private static readonly LeaseOptions s_once = new() { WaitTimeout = TimeSpan.Zero };

    [Fact]
    public async Task A_lease_is_on_all_nodes_excludes_others_and_is_given_back_everywhere()
    {
        await using var one = await ConnectAsync();
        await using var other = await ConnectAsync();
        await using (var lease = await one.Leases.AcquireAsync("plain"))
        {
            Assert.True(lease.IsHeld);
            // The last two may still be on their way.
            await Eventually.TrueAsync(async () => await one.HeldOnAsync("plain") == 5, "all nodes have it");
            Assert.Null(await other.Leases.TryAcquireAsync("plain", s_once));
            Assert.Null(await one.Leases.TryAcquireAsync("plain", s_once));
            Assert.Equal(5, await one.HeldOnAsync("plain"));
        }
        await Eventually.TrueAsync(async () => await one.HeldOnAsync("plain") == 0, "no node has it any more");
        await using var next = await other.Leases.AcquireAsync("plain", s_once);
        next.ThrowIfLost();
    }

    [Fact]
    public async Task Other_Redlock_clients_are_excluded_and_exclude_us()
    {
        await using var client = await ConnectAsync();
        await using (await client.Leases.AcquireAsync("theirs"))
        {
            await Eventually.TrueAsync(async () => await client.HeldOnAsync("theirs") == 5, "all nodes have it");
            Assert.All(await SetAsync(client, "theirs", "them", 5), Assert.False);
        }
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("theirs") == 0, "no node has it any more");
        Assert.All(await SetAsync(client, "theirs", "them", 5), Assert.True);
        Assert.Null(await client.Leases.TryAcquireAsync("theirs", s_once));
        Assert.All(client.Nodes, n => Assert.Equal("them", n.StringGet("theirs")));

        var waiting = client.Leases.AcquireAsync("theirs", new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(500),
            WaitTimeout = TimeSpan.FromSeconds(60) });
        foreach (var node in client.Nodes)
        {
            Assert.Equal(1, (int)await node.ScriptEvaluateAsync(CompareAndDelete, ["theirs"], ["them"]));
        }
        await using var lease = await waiting;
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_majority_is_enough_and_what_others_hold_stays_theirs()
    {
        await using var client = await ConnectAsync();
        Assert.All(await SetAsync(client, "minority", "them", 2), Assert.True);
        await using (var lease = await client.Leases.AcquireAsync("minority", s_once))
        {
            lease.ThrowIfLost();
        }
        Assert.Equal("them", await client.Nodes[0].StringGetAsync("minority"));
        Assert.Equal("them", await client.Nodes[1].StringGetAsync("minority"));

        Assert.All(await SetAsync(client, "majority", "them", 3), Assert.True);
        Assert.Null(await client.Leases.TryAcquireAsync("majority", s_once));
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("majority") == 3, "what was granted in vain is given back");
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 1)]
    [InlineData(4, 1)]
    public async Task A_majority_of_any_number_of_nodes(int nodes, int mayBeMissing)
    {
        var resource = $"nodes:{nodes}";
        await using var client = await ConnectAsync(o =>
        {
            while (o.Nodes.Count > nodes)
            {
                o.Nodes.RemoveAt(nodes);
            }
        });
        Assert.All(await SetAsync(client, resource, "them", mayBeMissing), Assert.True);
        await (await client.Leases.AcquireAsync(resource, s_once)).DisposeAsync();
        await client.Nodes[mayBeMissing].StringSetAsync(resource, "them");
        Assert.Null(await client.Leases.TryAcquireAsync(resource, s_once));
    }

    [Fact]
    public async Task A_waiter_is_told_of_the_release_and_does_not_wait_for_the_TTL()
    {
        await using var one = await ConnectAsync();
        await using var other = await ConnectAsync();
        var held = await one.Leases.AcquireAsync("told", new LeaseOptions { Ttl = TimeSpan.FromMinutes(5) });
        // Within its wait neither the TTL of the holder nor its own ends.
        var waiting = other.Leases.AcquireAsync("told", new LeaseOptions { Ttl = TimeSpan.FromMinutes(5),
            WaitTimeout = TimeSpan.FromSeconds(60) });
        await Eventually.TrueAsync(
            async () => await SubscribersAsync(one, "redlock-free:told") == 5, "the waiter listens at every node");
        await held.DisposeAsync();
        await using var lease = await waiting;
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_waiter_gets_the_lease_of_a_holder_that_died_when_its_TTL_is_over()
    {
        await using var client = await ConnectAsync();
        foreach (var node in client.Nodes)
        {
            await node.StringSetAsync("died", "a process that was killed", TimeSpan.FromSeconds(2));
        }
        await using var lease = await client.Leases.AcquireAsync("died", new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(60) });
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_waiter_outlasts_a_split_vote_of_which_nobody_tells()
    {
        await using var client = await ConnectAsync();
        var ttl = TimeSpan.FromMinutes(5);
        foreach (var (node, owner) in client.Nodes.Zip(["a", "a", "b", "b", "c"]))
        {
            await node.StringSetAsync("split", owner, ttl);
        }
        var waiting = client.Leases.AcquireAsync("split", new LeaseOptions { Ttl = ttl, WaitTimeout = TimeSpan.FromSeconds(60) });
        await Eventually.TrueAsync(async () => await SubscribersAsync(client, "redlock-free:split") == 5, "it waits");
        Assert.False(waiting.IsCompleted);
        foreach (var node in client.Nodes.Take(3))
        {
            await node.KeyDeleteAsync("split");
        }
        await using var lease = await waiting;
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task Contenders_in_several_processes_lose_no_update()
    {
        const int Contenders = 16;
        const int Rounds = 4;
        var clients = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => ConnectAsync()));
        var options = new LeaseOptions { Ttl = TimeSpan.FromSeconds(30), WaitTimeout = TimeSpan.FromSeconds(120) };
        var count = 0;
        var last = 0L;
        await Task.WhenAll(Enumerable.Range(0, Contenders).Select(i => Task.Run(async () =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                await using var lease = await clients[i % clients.Length].Leases.AcquireAsync("contended", options);
                var (read, before) = (Volatile.Read(ref count), Volatile.Read(ref last));
                Assert.True(lease.FencingToken > before);
                await Task.Yield();
                Volatile.Write(ref count, read + 1);
                Volatile.Write(ref last, lease.FencingToken);
            }
        })));
        Assert.Equal(Contenders * Rounds, count);
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task Callers_of_one_process_are_served_in_their_order()
    {
        await using var client = await ConnectAsync();
        var options = new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(60) };
        var held = await client.Leases.AcquireAsync("ordered", options);
        var served = new List<int>();
        var waiting = new List<Task> { ServeAsync(0) };
        // It has the turn to contend, and listens; from now on whoever comes waits behind it.
        await Eventually.TrueAsync(async () => await SubscribersAsync(client, "redlock-free:ordered") == 5, "the first waits");
        waiting.AddRange(Enumerable.Range(1, 7).Select(ServeAsync));
        await held.DisposeAsync();
        await Task.WhenAll(waiting);
        Assert.Equal(Enumerable.Range(0, 8), served);

        async Task ServeAsync(int i)
        {
            await using var lease = await client.Leases.AcquireAsync("ordered", options);
            served.Add(i);
        }
    }

    [Fact]
    public async Task A_wait_ends_in_time_and_leaves_nothing_behind()
    {
        await using var one = await ConnectAsync();
        await using var other = await ConnectAsync();
        await using (await one.Leases.AcquireAsync("bounded"))
        {
            Assert.Null(await other.Leases.TryAcquireAsync("bounded", new LeaseOptions { WaitTimeout = TimeSpan.FromMilliseconds(300) }));
            await Assert.ThrowsAsync<LeaseNotAcquiredException>(
                () => other.Leases.AcquireAsync("bounded", new LeaseOptions { WaitTimeout = TimeSpan.FromMilliseconds(10) }));
        }
        await Eventually.TrueAsync(async () => await one.HeldOnAsync("bounded") == 0, "nothing is left");
    }

    [Fact]
    public async Task A_cancelled_acquire_leaves_nothing_behind()
    {
        await using var client = await ConnectAsync();
        for (var i = 0; i < 60; i++)
        {
            using var cancelling = new CancellationTokenSource();
            var acquiring = client.Leases.AcquireAsync("cancelled", s_once, cancelling.Token);
            // From before anything is answered to after everything is.
            for (var spin = 0; spin < i; spin++)
            {
                await Task.Yield();
            }
            await cancelling.CancelAsync();
            try
            {
                await (await acquiring).DisposeAsync();
            }
            catch (Exception e) when (e is OperationCanceledException or LeaseNotAcquiredException)
            {
            }
            await Eventually.TrueAsync(async () => await client.HeldOnAsync("cancelled") == 0, "nothing is left");
        }
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Leases.AcquireAsync("cancelled", null, cancelled.Token));

        await using var lease = await client.Leases.AcquireAsync("cancelled");
        using var later = new CancellationTokenSource();
        var waiting = client.Leases.AcquireAsync("cancelled", null, later.Token);
        await later.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_disposed_provider_refuses_and_ends_its_waits()
    {
        await using var one = await ConnectAsync();
        await using var other = await ConnectAsync();
        await using var held = await one.Leases.AcquireAsync("disposed");
        var waiting = other.Leases.AcquireAsync("disposed", new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(60) });
        await Eventually.TrueAsync(async () => await SubscribersAsync(one, "redlock-free:disposed") == 5, "it waits");

        await other.Leases.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => other.Leases.AcquireAsync("disposed"));
        await other.Leases.DisposeAsync();
        held.ThrowIfLost();
    }

    [Fact]
    public async Task A_lease_whose_provider_is_disposed_is_lost_and_dispose_does_not_throw()
    {
        await using var client = await ConnectAsync();
        var lease = await client.Leases.AcquireAsync("orphaned", new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(500) });
        await client.Leases.DisposeAsync();
        await Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told");
        await lease.DisposeAsync();
    }

    private Task<RedlockClient> ConnectAsync(Action<RedlockOptions>? configure = null)
        => RedlockClient.ConnectAsync(redis.Redis, configure);

    private static Task<bool[]> SetAsync(RedlockClient client, string resource, string owner, int nodes)
        => Task.WhenAll(client.Nodes.Take(nodes).Select(n => n.StringSetAsync(resource, owner, TimeSpan.FromMinutes(5), When.NotExists)));

    private static async Task<long> SubscribersAsync(RedlockClient client, string channel)
    {
        var counts = await Task.WhenAll(client.Nodes.Select(n => n.ExecuteAsync("PUBSUB", "NUMSUB", channel)));
        return counts.Sum(c => (long)c[1]);
    }
}
