using System.Globalization;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

public sealed class RedlockFencingTests(RedlockFixture redis) : IClassFixture<RedlockFixture>
{
    private static readonly LeaseOptions s_once = new() { WaitTimeout = TimeSpan.Zero };

    [Fact]
    public async Task Tokens_rise_also_between_clients_whose_clocks_disagree()
    {
        await using var right = await RedlockClient.ConnectAsync(redis.Redis);
        await using var fast = await RedlockClient.ConnectAsync(redis.Redis, clock: new SkewedClock(TimeSpan.FromHours(3)));
        await using var slow = await RedlockClient.ConnectAsync(redis.Redis, clock: new SkewedClock(TimeSpan.FromSeconds(-20)));
        RedlockClient[] clients = [right, fast, slow, slow, right, right, fast, right, slow];
        var last = 0L;
        for (var i = 0; i < 90; i++)
        {
            last = await NextAsync(clients[i % clients.Length], "skewed", last);
        }
    }

    [Fact]
    public async Task One_node_that_knows_the_last_token_is_enough()
    {
        await using var fast = await RedlockClient.ConnectAsync(redis.Redis, clock: new SkewedClock(TimeSpan.FromHours(1)));
        await using var right = await RedlockClient.ConnectAsync(redis.Redis);
        // Each time another pair of nodes has no part in it, so that the tokens of a majority are found by another one.
        var last = 0L;
        for (var i = 0; i < 20; i++)
        {
            int[] absent = [i % 5, (i + 1) % 5];
            foreach (var node in absent)
            {
                await fast.Nodes[node].StringSetAsync("overlapping", "somebody", TimeSpan.FromMinutes(1));
            }
            last = await NextAsync(i % 2 == 0 ? fast : right, "overlapping", last);
            foreach (var node in absent)
            {
                await fast.Nodes[node].KeyDeleteAsync("overlapping");
            }
        }
    }

    [Fact]
    public async Task Tokens_rise_by_the_clock_when_every_node_has_forgotten_the_last_one()
    {
        await using var client = await RedlockClient.ConnectAsync(redis.Redis);
        await using var other = await RedlockClient.ConnectAsync(redis.Redis);
        var last = await NextAsync(client, "forgotten", 0);
        foreach (var node in client.Nodes)
        {
            Assert.True(await node.KeyDeleteAsync("{forgotten}:fence"));
        }
        await NextAsync(other, "forgotten", last);
    }

    [Fact]
    public async Task A_holder_is_renewed_at_nodes_that_came_back_empty_although_somebody_tried_in_vain_there()
    {
        await using var one = await RedlockClient.ConnectAsync(redis.Redis);
        await using var other = await RedlockClient.ConnectAsync(redis.Redis);
        await using var lease = await one.Leases.AcquireAsync("vain", new LeaseOptions { Ttl = TimeSpan.FromSeconds(15) });
        await Eventually.TrueAsync(async () => await one.HeldOnAsync("vain") == 5, "all nodes have it");
        foreach (var node in one.Nodes.Take(2))
        {
            await node.KeyDeleteAsync(["vain", "{vain}:fence"]);
        }

        Assert.Null(await other.Leases.TryAcquireAsync("vain", new LeaseOptions { WaitTimeout = TimeSpan.Zero }));

        await RenewedEverywhereAsync(one, lease, "vain");
    }

    [Fact]
    public async Task A_try_in_vain_whose_answers_come_late_leaves_nothing_behind_either()
    {
        await using var one = await RedlockClient.ConnectAsync(redis.Redis);
        await using var other = await RedlockClient.ConnectAsync(redis.Redis);
        await using var lease = await one.Leases.AcquireAsync("late", new LeaseOptions { Ttl = TimeSpan.FromSeconds(15) });
        await Eventually.TrueAsync(async () => await one.HeldOnAsync("late") == 5, "all nodes have it");
        foreach (var node in one.Nodes.Take(2))
        {
            await node.KeyDeleteAsync(["late", "{late}:fence"]);
        }
        var frozen = redis.Redis.Topology.LockNodes.Take(2).ToArray();
        Array.ForEach(frozen, node => redis.Redis[node].Freeze());

        // What it asks of the two is answered when it has given up already, and released behind that.
        Assert.Null(await other.Leases.TryAcquireAsync("late", new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        Array.ForEach(frozen, node => redis.Redis[node].Thaw());

        await RenewedEverywhereAsync(one, lease, "late");
    }

    [Fact]
    public async Task A_renewal_does_not_bring_back_a_lease_that_was_handed_on()
    {
        await using var one = await RedlockClient.ConnectAsync(redis.Redis);
        await using var other = await RedlockClient.ConnectAsync(redis.Redis);
        var paused = await one.Leases.AcquireAsync("handed-on", new LeaseOptions { Ttl = TimeSpan.FromSeconds(3) });
        await Eventually.TrueAsync(async () => await one.HeldOnAsync("handed-on") == 5, "all nodes have it");
        // As if it had run out at the nodes while the holder knew nothing.
        foreach (var node in one.Nodes)
        {
            await node.KeyDeleteAsync("handed-on");
        }
        await using (var next = await other.Leases.AcquireAsync("handed-on", s_once))
        {
            Assert.True(next.FencingToken > paused.FencingToken);
        }
        await Eventually.TrueAsync(() => paused.LostToken.IsCancellationRequested, "the first holder is told");
        Assert.Equal(0, await one.HeldOnAsync("handed-on"));
        await paused.DisposeAsync();
    }

    /// <summary>A try that failed left nothing behind, so that a renewal is welcome.</summary>
    private static async Task RenewedEverywhereAsync(RedlockClient client, ILease lease, string resource)
    {
        await Eventually.TrueAsync(
            async () => (await Task.WhenAll(client.Nodes.Select(async node => (string?)await node.StringGetAsync($"{{{resource}}}:fence"))))
                .All(last => last?.Split(' ')[0] == lease.FencingToken.ToString(CultureInfo.InvariantCulture)),
            "it is renewed at all nodes");
        Assert.Equal(5, await client.HeldOnAsync(resource));
        lease.ThrowIfLost();
    }

    private static async Task<long> NextAsync(RedlockClient client, string resource, long last)
    {
        await using var lease = await client.Leases.AcquireAsync(resource);
        Assert.True(lease.FencingToken > last, $"{lease.FencingToken} after {last}");
        return lease.FencingToken;
    }
}
