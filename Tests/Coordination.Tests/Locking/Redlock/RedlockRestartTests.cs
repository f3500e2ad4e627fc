using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

/// <summary>Nodes that come back empty: they do not know any more what they granted.</summary>
public sealed class RedlockRestartTests
{
    private static readonly LeaseOptions s_once = new() { WaitTimeout = TimeSpan.Zero };
    private static readonly TimeSpan s_maxTtl = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_restarted_node_that_counts_at_once_lets_a_second_holder_in()
    {
        // What the rule is for; with it, below, the same does not happen.
        await using var nodes = await RedlockNodes.StartAsync(3);
        await using var one = await nodes.ConnectAsync();
        await using var other = await nodes.ConnectAsync();
        var (lease, _) = await HeldOnFirstTwoAsync(nodes, one, other);
        nodes[1].Kill();
        await nodes[1].StartAsync();

        ILease? second = null;
        await Eventually.HoldsAsync(async () => second = await other.Leases.AcquireAsync("amnesia", s_once), "somebody else gets it too");

        Assert.True(lease.IsHeld && second!.IsHeld);
        Assert.True(second.FencingToken > lease.FencingToken);
        await second.DisposeAsync();
        await lease.DisposeAsync();
    }

    [Fact]
    public async Task A_restarted_node_stays_out_for_those_who_knew_it_and_for_newcomers()
    {
        await using var nodes = await RedlockNodes.StartAsync(3);
        var shortly = TimeSpan.FromSeconds(8);
        await using var one = await nodes.ConnectAsync(o => StayOut(o, shortly));
        await using var other = await nodes.ConnectAsync(o => StayOut(o, shortly));
        // All have just started and stay out at first.
        var (lease, options) = await HeldOnFirstTwoAsync(nodes, one, other, shortly);
        nodes[1].Kill();
        await nodes[1].StartAsync();
        await using var newcomer = await nodes.ConnectAsync(o => StayOut(o, shortly));

        // As long as the lease is held, and it is renewed by one node less than is needed: until its TTL.
        var attempts = 0;
        while (lease.IsHeld)
        {
            foreach (var client in new[] { other, newcomer })
            {
                var second = await TryAsync(client, options);
                Assert.False(second is not null && lease.IsHeld, "two hold the lease");
                if (second is not null)
                {
                    await second.DisposeAsync();
                }
                attempts++;
            }
        }
        Assert.True(attempts > 2);
        await lease.DisposeAsync();

        await Eventually.HoldsAsync(async () => await (await newcomer.Leases.AcquireAsync("amnesia", options)).DisposeAsync(),
            "the node counts when it is old enough");
    }

    [Fact]
    public async Task The_reason_is_told_and_the_option()
    {
        await using var nodes = await RedlockNodes.StartAsync(3);
        await using var client = await nodes.ConnectAsync(o => StayOut(o, s_maxTtl));
        var thrown = await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("young"));
        Assert.Equal(3, thrown.Errors.Count);
        Assert.Contains("RedlockOptions.MaxTtl", thrown.Message, StringComparison.Ordinal);
        // A client that counts them at once does not make the others do so.
        await using var careless = await nodes.ConnectAsync();
        await (await careless.Leases.AcquireAsync("young")).DisposeAsync();
        await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("young"));
    }

    [Fact]
    public async Task A_renewal_gives_the_lease_to_nodes_that_came_back_empty()
    {
        await using var nodes = await RedlockNodes.StartAsync();
        await using var client = await nodes.ConnectAsync();
        await using var lease = await client.Leases.AcquireAsync("rolling", new LeaseOptions { Ttl = TimeSpan.FromSeconds(20) });
        // One after the other, all are restarted: more than a majority forgets the lease.
        for (var i = 0; i < 5; i++)
        {
            nodes[i].Kill();
            await nodes[i].StartAsync();
            var node = client.Nodes[i];
            await Eventually.TrueAsync(async () => await node.KeyExistsAsync("rolling"), $"node {i} has the lease again",
                TimeSpan.FromSeconds(60));
        }
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_node_whose_scripts_are_flushed_is_asked_for_its_age_and_counts_again()
    {
        await using var nodes = await RedlockNodes.StartAsync(3);
        await using var client = await nodes.ConnectAsync();
        await (await client.Leases.AcquireAsync("flushed")).DisposeAsync();
        foreach (var node in client.Nodes)
        {
            await node.ExecuteAsync("SCRIPT", "FLUSH");
        }
        await Eventually.HoldsAsync(async () => await (await client.Leases.AcquireAsync("flushed", s_once)).DisposeAsync(),
            "it is acquired");
    }

    [Fact]
    public async Task Two_names_of_one_server_are_not_two_nodes()
    {
        await using var nodes = await RedlockNodes.StartAsync(3);
        await using var client = await nodes.ConnectAsync(o =>
        {
            o.Nodes.Clear();
            o.Nodes.Add(nodes.Redis.Topology.LockNodeConnectionStrings[0]);
            o.Nodes.Add($"localhost:{nodes.Redis.Topology.LockNodes[0].Port}");
        });
        var thrown = await Assert.ThrowsAsync<NoQuorumException>(() => client.Leases.AcquireAsync("same"));
        Assert.Contains("is the same server as", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("RedlockOptions.Nodes", thrown.Message, StringComparison.Ordinal);
    }

    private static void StayOut(RedlockOptions options, TimeSpan maxTtl)
    {
        options.RestartedNodes = RestartedNodes.StayOut;
        options.MaxTtl = maxTtl;
    }

    private static async Task<ILease?> TryAsync(RedlockClient client, LeaseOptions options)
    {
        try
        {
            return await client.Leases.TryAcquireAsync("amnesia", options with { WaitTimeout = TimeSpan.Zero });
        }
        catch (NoQuorumException)
        {
            return null;
        }
    }

    /// <summary>A lease of the first client that the third node knows nothing of.</summary>
    private static async Task<(ILease Lease, LeaseOptions Options)> HeldOnFirstTwoAsync(
        RedlockNodes nodes, RedlockClient one, RedlockClient other, TimeSpan? ttl = null)
    {
        var options = new LeaseOptions { Ttl = ttl ?? TimeSpan.FromMinutes(5), AutoRenew = false, WaitTimeout = TimeSpan.Zero };
        foreach (var client in new[] { one, other })
        {
            await Eventually.HoldsAsync(async () => await (await client.Leases.AcquireAsync("warm", options)).DisposeAsync(),
                "the nodes vote");
        }
        await one.Nodes[2].StringSetAsync("amnesia", "somebody who gives up");
        var lease = await one.Leases.AcquireAsync("amnesia", options);
        await one.Nodes[2].KeyDeleteAsync("amnesia");
        Assert.Equal(2, await one.HeldOnAsync("amnesia"));
        return (lease, options);
    }
}
