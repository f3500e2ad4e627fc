using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Time.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseRenewalTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Renewal_keeps_the_lease_beyond_its_TTL()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // Renewed at a third of it: a process that gets no processor for less than the rest keeps its lease.
        var ttl = TimeSpan.FromSeconds(6);
        await using var lease = await client.Leases.AcquireAsync("renewed", new LeaseOptions { Ttl = ttl });
        var owner = await client.Database.StringGetAsync("renewed");
        // A key of the same age and TTL that nobody renews says when the TTL has passed on the server.
        await client.Database.StringSetAsync("renewed:control", "", 2 * ttl);

        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("renewed:control"), "twice the TTL has passed");

        lease.ThrowIfLost();
        Assert.Equal(owner, await client.Database.StringGetAsync("renewed"));
    }

    [Fact]
    public async Task Renewal_comes_at_a_third_of_the_TTL_and_gives_a_whole_TTL()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var ttl = TimeSpan.FromMinutes(3);
        await using var lease = await client.Leases.AcquireAsync("third", new LeaseOptions { Ttl = ttl });
        for (var i = 0; i < 10; i++)
        {
            // As if the server's clock had run on too.
            await client.Database.KeyExpireAsync("third", TimeSpan.FromMinutes(2));
            clock.Advance(TimeSpan.FromMinutes(1));
            await Eventually.TrueAsync(async () => await client.Database.KeyTimeToLiveAsync("third") > TimeSpan.FromMinutes(2.5),
                "it is renewed");
            await Eventually.TrueAsync(() => lease.Remaining > TimeSpan.FromMinutes(2.5), "the renewal is counted");
        }
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task Without_renewal_it_runs_out_at_its_TTL_by_the_local_clock()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var ttl = TimeSpan.FromMinutes(10);
        var lease = await client.Leases.AcquireAsync("unrenewed", new LeaseOptions { Ttl = ttl, AutoRenew = false });

        clock.Advance(ttl * 0.98);
        lease.ThrowIfLost();
        Assert.False(lease.LostToken.IsCancellationRequested);

        clock.Advance(ttl * 0.02);
        Assert.False(lease.IsHeld);
        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        await IsLostAsync(lease);
        await lease.DisposeAsync();
    }

    [Fact]
    public async Task Without_renewal_the_server_lets_the_next_one_in_after_the_TTL()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var expired = await client.Leases.AcquireAsync("expired",
            new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(500), AutoRenew = false });
        await using var next = await client.Leases.AcquireAsync("expired", new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(30) });
        Assert.False(expired.IsHeld);
        next.ThrowIfLost();
    }

    [Fact]
    public async Task Lost_is_cancelled_when_the_key_is_gone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var lease = await client.Leases.AcquireAsync("gone", new LeaseOptions { Ttl = TimeSpan.FromSeconds(3) });
        await client.Database.KeyDeleteAsync("gone");

        await IsLostAsync(lease);

        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        Assert.False(await client.Database.KeyExistsAsync("gone"));
    }

    [Fact]
    public async Task Lost_is_cancelled_when_somebody_else_has_the_key_and_it_stays_theirs()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var lease = await client.Leases.AcquireAsync("taken", new LeaseOptions { Ttl = TimeSpan.FromMinutes(3) });
        await client.Database.StringSetAsync("taken", "somebody", TimeSpan.FromMinutes(1));

        // The time of one renewal: it is heard of well before the TTL is over.
        clock.Advance(TimeSpan.FromMinutes(1));
        await IsLostAsync(lease);

        await lease.DisposeAsync();
        Assert.Equal("somebody", await client.Database.StringGetAsync("taken"));
        Assert.True(await client.Database.KeyTimeToLiveAsync("taken") <= TimeSpan.FromMinutes(1));
    }

    private static Task IsLostAsync(ILease lease)
        => Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told that the lease is lost");
}
