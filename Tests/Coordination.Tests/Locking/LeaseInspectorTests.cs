using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>What is seen of a lease from outside.</summary>
public sealed class LeaseInspectorTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task It_says_who_holds_a_lease_and_how_many_wait_until_the_last_has_gone()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var inspector = new LeaseInspector(one.Deployment);
        Assert.Equal(new LeaseStatus("stock:{a}", null, null, null, 0, 0), await inspector.DescribeAsync("stock:{a}"));

        var held = await one.Leases.AcquireAsync("stock:{a}", s_long);
        var alone = await inspector.DescribeAsync("stock:{a}");
        Assert.Equal((held.FencingToken, 0L, held.FencingToken), (alone.FencingToken!.Value, alone.Waiting, alone.LastFencingToken));
        Assert.InRange(alone.ExpiresIn!.Value, TimeSpan.FromSeconds(20), s_long.Ttl);

        var first = other.Leases.AcquireAsync("stock:{a}", s_long);
        await UntilWaitingAsync(1);
        var second = one.Leases.AcquireAsync("stock:{a}", s_long);
        await UntilWaitingAsync(2);
        var queued = await inspector.DescribeAsync("stock:{a}");
        Assert.Equal((alone.Holder, held.FencingToken, 2L), (queued.Holder, queued.FencingToken, queued.Waiting));
        Assert.True(queued.LastFencingToken > held.FencingToken);

        await held.DisposeAsync();
        var next = await first.WaitAsync(TimeSpan.FromSeconds(30));
        // Whether or not it has confirmed what was handed over to it: it waits no more.
        var handedOver = await inspector.DescribeAsync("stock:{a}");
        Assert.Equal((next.FencingToken, 1L), (handedOver.FencingToken!.Value, handedOver.Waiting));
        Assert.NotEqual(alone.Holder![..32], handedOver.Holder![..32]);

        await next.DisposeAsync();
        await (await second.WaitAsync(TimeSpan.FromSeconds(30))).DisposeAsync();
        var free = await inspector.DescribeAsync("stock:{a}");
        Assert.Equal((null, null, null, 0L), (free.Holder, free.FencingToken, free.ExpiresIn, free.Waiting));
        Assert.True(free.LastFencingToken >= queued.LastFencingToken);

        Task UntilWaitingAsync(int number) => Eventually.TrueAsync(
            async () => (await inspector.DescribeAsync("stock:{a}")).Waiting == number, $"{number} wait");
    }

    [Fact]
    public async Task A_claim_that_nobody_confirms_is_held_and_does_not_wait()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // As a hand-over leaves them: the claimant at the head of the queue, with a star, and one behind it.
        var claimant = $"{new string('a', 32)}.1";
        await client.Database.StringSetAsync("claim", $"{claimant}:1700000000000001", TimeSpan.FromSeconds(60));
        await client.Database.SortedSetAddAsync("{claim}:queue",
            [new($"*{claimant}", 1700000000000001), new($"{new string('b', 32)}.1", 1700000000000002)]);

        var status = await new LeaseInspector(client.Deployment).DescribeAsync("claim");

        Assert.Equal((claimant, 1700000000000001L, 1L), (status.Holder, status.FencingToken!.Value, status.Waiting));
    }

    [Fact]
    public async Task What_another_client_has_set_is_shown_as_it_is_and_what_is_no_lease_is_an_error()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var inspector = new LeaseInspector(client.Deployment);
        await client.Database.StringSetAsync("foreign", "host:7:x");
        await client.Database.HashSetAsync("no-lease", "a", "b");

        var statuses = await inspector.DescribeAsync(["foreign", "free"]);
        Assert.Equal([new LeaseStatus("foreign", "host:7:x", null, null, 0, 0), new LeaseStatus("free", null, null, null, 0, 0)], statuses);
        Assert.StartsWith("WRONGTYPE", (await Assert.ThrowsAsync<RedisServerException>(() => inspector.DescribeAsync("no-lease"))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => inspector.DescribeAsync("stock:{a}:queue"));
    }
}
