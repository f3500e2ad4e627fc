using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseExclusionTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly LeaseOptions s_once = new() { Ttl = TimeSpan.FromSeconds(30), WaitTimeout = TimeSpan.Zero };

    [Fact]
    public async Task A_second_holder_is_excluded_until_the_first_gives_the_lease_back()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);

        var lease = await one.Leases.AcquireAsync("exclusion", s_once);
        Assert.True(lease.IsHeld);
        Assert.Equal("exclusion", lease.Resource);
        Assert.InRange(lease.Remaining, TimeSpan.FromTicks(1), s_once.Ttl);
        Assert.Null(await other.Leases.TryAcquireAsync("exclusion", s_once));
        Assert.Null(await one.Leases.TryAcquireAsync("exclusion", s_once));

        await lease.DisposeAsync();
        Assert.False(lease.IsHeld);
        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        Assert.False(lease.LostToken.IsCancellationRequested);
        Assert.False(await one.Database.KeyExistsAsync("exclusion"));

        await using var next = await other.Leases.AcquireAsync("exclusion", s_once);
        next.ThrowIfLost();
    }

    [Fact]
    public async Task Leases_on_other_resources_are_independent()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var one = await client.Leases.AcquireAsync("independent:1", s_once);
        await using var other = await client.Leases.AcquireAsync("independent:2", s_once);
        one.ThrowIfLost();
        other.ThrowIfLost();
    }

    [Fact]
    public async Task A_client_that_uses_SET_NX_PX_is_excluded()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using (await client.Leases.AcquireAsync("plain:1", s_once))
        {
            Assert.False(await client.Database.StringSetAsync("plain:1", "somebody", TimeSpan.FromSeconds(30), When.NotExists));
        }
        Assert.True(await client.Database.StringSetAsync("plain:1", "somebody", TimeSpan.FromSeconds(30), When.NotExists));
    }

    [Fact]
    public async Task A_client_that_uses_SET_NX_PX_excludes_us()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        Assert.True(await client.Database.StringSetAsync("plain:2", "somebody", TimeSpan.FromSeconds(30), When.NotExists));
        Assert.Null(await client.Leases.TryAcquireAsync("plain:2", s_once));
        Assert.Equal("somebody", await client.Database.StringGetAsync("plain:2"));
    }

    [Fact]
    public async Task Release_does_not_remove_the_key_of_the_next_owner()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var stale = await client.Leases.AcquireAsync("stale-release", s_once with { AutoRenew = false });
        // As if the TTL had passed while the holder was paused.
        await client.Database.KeyDeleteAsync("stale-release");
        await using var next = await client.Leases.AcquireAsync("stale-release", s_once);
        var owner = await client.Database.StringGetAsync("stale-release");

        await stale.DisposeAsync();

        Assert.Equal(owner, await client.Database.StringGetAsync("stale-release"));
        Assert.Null(await client.Leases.TryAcquireAsync("stale-release", s_once));
    }

    [Fact]
    public async Task A_lease_can_be_disposed_twice()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var lease = await client.Leases.AcquireAsync("twice", s_once);
        await lease.DisposeAsync();
        await using var next = await client.Leases.AcquireAsync("twice", s_once);
        await lease.DisposeAsync();
        Assert.True(await client.Database.KeyExistsAsync("twice"));
    }
}
