using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

public sealed class RedlockFaultTests
{
    private static readonly LeaseOptions s_once = new() { WaitTimeout = TimeSpan.Zero };

    [Fact]
    public async Task Two_of_five_may_be_killed_during_the_lease_and_before()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        var ttl = TimeSpan.FromSeconds(2);
        await using var lease = await client.Leases.AcquireAsync("two", new LeaseOptions { Ttl = ttl });
        var control = client.Nodes[4].StringSetAsync("control", "", 2 * ttl);
        nodes[0].Kill();
        nodes[1].Kill();
        await control;

        await Eventually.TrueAsync(async () => !await client.Nodes[4].KeyExistsAsync("control"), "twice the TTL has passed");
        lease.ThrowIfLost();
        Assert.Equal(3, await client.HeldOnAsync("two"));
        await (await client.Leases.AcquireAsync("more", s_once)).DisposeAsync();

        await using var newcomer = await nodes.ConnectAsync();
        await (await newcomer.Leases.AcquireAsync("more", s_once)).DisposeAsync();
        Assert.Null(await newcomer.Leases.TryAcquireAsync("two", s_once));
    }

    [Fact]
    public async Task With_three_of_five_killed_it_fails_and_says_why_and_works_again_when_they_are_back()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("three")).DisposeAsync();
        for (var i = 0; i < 3; i++)
        {
            nodes[i].Kill();
        }

        var thrown = await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("three"));
        Assert.Equal(nodes.Redis.Topology.LockNodes.Take(3).Select(n => n.Address.ToString()).Order(),
            thrown.Errors.Select(e => e.Node).Order());
        Assert.All(thrown.Errors, e => Assert.Contains(e.Node, thrown.Message, StringComparison.Ordinal));
        Assert.All(thrown.Errors, e => Assert.IsAssignableFrom<RedisException>(e.Error));

        for (var i = 0; i < 3; i++)
        {
            await nodes[i].StartAsync();
        }
        await Eventually.HoldsAsync(async () => await (await client.Leases.AcquireAsync("three", s_once)).DisposeAsync(), "it is acquired");
    }

    [Fact]
    public async Task A_lease_is_lost_when_a_majority_dies_and_kept_when_it_is_back_in_time()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        var lost = await client.Leases.AcquireAsync("lost", new LeaseOptions { Ttl = TimeSpan.FromSeconds(2) });
        await using var kept = await client.Leases.AcquireAsync("kept", new LeaseOptions { Ttl = TimeSpan.FromMinutes(2) });
        for (var i = 0; i < 3; i++)
        {
            nodes[i].Kill();
        }
        await Eventually.TrueAsync(() => lost.LostToken.IsCancellationRequested, "the holder is told");
        await lost.DisposeAsync();
        kept.ThrowIfLost();
    }

    [Fact]
    public async Task Frozen_nodes_are_not_waited_for_and_what_they_were_asked_is_undone_when_they_wake()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        nodes[1].Freeze();
        nodes[3].Freeze();

        for (var i = 0; i < 20; i++)
        {
            await (await client.Leases.AcquireAsync($"frozen:{i}",
                new LeaseOptions { Ttl = TimeSpan.FromMinutes(10), WaitTimeout = TimeSpan.Zero })).DisposeAsync();
        }
        nodes[1].Thaw();
        nodes[3].Thaw();

        await Eventually.TrueAsync(
            async () => (await Task.WhenAll(Enumerable.Range(0, 20).Select(i => client.HeldOnAsync($"frozen:{i}")))).Sum() == 0,
            "nothing is left on any node");
    }

    [Fact]
    public async Task With_a_frozen_majority_it_fails_in_bounded_time_and_leaves_nothing_behind()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        for (var i = 0; i < 3; i++)
        {
            nodes[i].Freeze();
        }

        var options = new LeaseOptions { Ttl = TimeSpan.FromMinutes(10) };
        var first = await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("majority", options));
        Assert.All(first.Errors, e => Assert.IsType<TimeoutException>(e.Error));
        // Known to be silent by now: it is not asked again, and nothing piles up.
        await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("majority", options));

        for (var i = 0; i < 3; i++)
        {
            nodes[i].Thaw();
        }
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("majority") == 0, "nothing is left on any node");
        await Eventually.HoldsAsync(async () => await (await client.Leases.AcquireAsync("majority", s_once)).DisposeAsync(),
            "it is acquired");
    }

    [Fact]
    public async Task A_release_reaches_nodes_that_could_not_be_reached_when_they_can()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        var lease = await client.Leases.AcquireAsync("cut", new LeaseOptions { Ttl = TimeSpan.FromMinutes(10) });
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("cut") == 5, "all nodes have it");
        // Long enough that the client gives up the connections.
        nodes[0].Freeze();
        nodes[1].Freeze();
        await lease.DisposeAsync();
        Assert.Equal(0, (await Task.WhenAll(client.Nodes.Skip(2).Select(n => n.KeyExistsAsync("cut")))).Count(held => held));
        nodes[0].Thaw();
        nodes[1].Thaw();
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("cut") == 0, "nothing is left on any node");
    }

    [Fact]
    public async Task What_slow_nodes_take_is_taken_from_the_validity()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync(o => o.NodeTimeout = TimeSpan.FromSeconds(20));
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        var ttl = TimeSpan.FromSeconds(60);
        await PauseAsync(client, 3, TimeSpan.FromSeconds(1));
        var start = Stopwatch.GetTimestamp();

        await using var lease = await client.Leases.AcquireAsync("slow", new LeaseOptions { Ttl = ttl, AutoRenew = false });

        var took = Stopwatch.GetElapsedTime(start);
        Assert.InRange(lease.Remaining, TimeSpan.Zero, (ttl * 0.99) - took + TimeSpan.FromMilliseconds(100));
        Assert.True(took > TimeSpan.FromMilliseconds(300), $"The nodes were not slow: {took}");
    }

    [Fact]
    public async Task A_majority_that_answers_when_the_TTL_is_over_gives_no_lease()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        await PauseAsync(client, 3, TimeSpan.FromSeconds(2));

        await Assert.ThrowsAsync<NoQuorumException>(
            () => client.Leases.AcquireAsync("late", new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(200),
            WaitTimeout = TimeSpan.Zero }));

        await Eventually.TrueAsync(async () => await client.HeldOnAsync("late") == 0, "nothing is left on any node");
    }

    [Fact]
    public async Task A_slow_minority_is_not_waited_for()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        await PauseAsync(client, 2, TimeSpan.FromSeconds(20));
        var slow = client.Nodes[0].PingAsync();
        await using var lease = await client.Leases.AcquireAsync("minority", s_once);
        await using var next = await client.Leases.AcquireAsync("minority:2", s_once);
        Assert.False(slow.IsCompleted);
        foreach (var node in nodes.Redis.Topology.LockNodes.Take(2))
        {
            nodes.Redis[node].Kill();
        }
    }

    [Fact]
    public async Task A_node_that_refuses_is_named_with_its_reason()
    {
        await using var nodes = await RedlockNodes.StartAsync(3);
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("warm")).DisposeAsync();
        foreach (var node in client.Nodes.Take(2))
        {
            await node.HashSetAsync("refused", "not", "a lease");
        }
        var thrown = await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("refused"));
        Assert.Equal(2, thrown.Errors.Count);
        Assert.All(thrown.Errors, e => Assert.StartsWith("WRONGTYPE", e.Error.Message, StringComparison.Ordinal));
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("refused") == 2, "the third node is given back");
    }

    private static async Task PauseAsync(RedlockClient client, int nodes, TimeSpan time)
        => await Task.WhenAll(client.Nodes.Take(nodes).Select(n => n.ExecuteAsync("CLIENT", "PAUSE", (long)time.TotalMilliseconds, "ALL")));
}
