using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Time.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>The server of these tests is frozen, killed and started again.</summary>
public sealed class LeaseOutageTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    private RedisProcess Server => redis.Redis[redis.Redis.Topology.Primary];

    public async Task InitializeAsync()
    {
        Server.Thaw();
        await Server.StartAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Lost_is_cancelled_while_the_server_is_frozen()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var lease = await client.Leases.AcquireAsync("frozen", new LeaseOptions { Ttl = TimeSpan.FromSeconds(1) });
        Server.Freeze();

        await Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told that the lease is lost");

        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        Server.Thaw();
        await lease.DisposeAsync();
        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("frozen"),
            "a renewal that came too late does not block the others");
    }

    [Fact]
    public async Task Lost_is_cancelled_no_later_than_the_TTL_by_the_local_clock()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var ttl = TimeSpan.FromMinutes(3);
        await using var lease = await client.Leases.AcquireAsync("frozen-clock", new LeaseOptions { Ttl = ttl });
        Server.Freeze();

        clock.Advance(ttl / 3);
        clock.Advance(ttl / 3);
        lease.ThrowIfLost();
        clock.Advance(ttl / 3);

        await Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told that the lease is lost");
        Server.Thaw();
    }

    [Fact]
    public async Task A_server_that_is_away_for_less_than_the_TTL_costs_nothing()
    {
        // With everysec the lease may not be in the file yet when the server dies, and is rightly lost.
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0,
            Persistence = RedisPersistence.AofAlways });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString, configure: o => o.AsyncTimeout = 2000);
        await using var lease = await client.Leases.AcquireAsync("blink", new LeaseOptions { Ttl = TimeSpan.FromSeconds(60) });
        own.Server.Kill();
        await own.Server.StartAsync();
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("blink"), "the client is connected again");

        lease.ThrowIfLost();
        Assert.False(lease.LostToken.IsCancellationRequested);
    }

    [Fact]
    public async Task Dispose_does_not_throw_when_the_server_is_dead()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, configure: o => o.AsyncTimeout = 500);
        var lease = await client.Leases.AcquireAsync("dead", new LeaseOptions { Ttl = TimeSpan.FromSeconds(2) });
        Server.Kill();

        await lease.DisposeAsync();

        Assert.False(lease.IsHeld);
    }

    [Fact]
    public async Task A_holder_whose_connection_was_closed_is_told_and_dispose_does_not_throw()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var lease = await client.Leases.AcquireAsync("closed", new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(600) });
        await client.Connection.DisposeAsync();

        await Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told that the lease is lost");

        await lease.DisposeAsync();
    }

    [Fact]
    public async Task Acquire_fails_while_the_server_is_dead_and_succeeds_when_it_is_back()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, configure: o => o.AsyncTimeout = 500);
        Server.Kill();
        var thrown = await Record.ExceptionAsync(() => client.Leases.AcquireAsync("back"));
        Assert.True(thrown is RedisUnavailableException or RedisOutcomeUnknownException, $"{thrown}");

        await Server.StartAsync();

        await Eventually.HoldsAsync(
            async () => await (await client.Leases.AcquireAsync("back")).DisposeAsync(), "the lease is acquired");
    }
}
