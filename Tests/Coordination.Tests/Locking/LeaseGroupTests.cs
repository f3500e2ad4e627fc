using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>Leases that are taken and given back at the same time, of which the server hears in groups.</summary>
public sealed class LeaseGroupTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly LeaseOptions s_noWait = new() { WaitTimeout = TimeSpan.Zero };

    [Fact]
    public async Task Many_at_once_take_fewer_commands_than_leases()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using (await client.Leases.AcquireAsync("many:warm"))
        {
        }
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        var leases = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => client.Leases.AcquireAsync($"many:{i}")));
        Assert.Equal(500, leases.Select(l => l.Resource).Distinct().Count());
        foreach (var lease in leases)
        {
            Assert.Equal($"{lease.Owner}:{lease.FencingToken}", (string?)await client.Database.StringGetAsync(lease.Resource));
        }
        await Task.WhenAll(leases.Select(l => l.DisposeAsync().AsTask()));
        Assert.InRange(await client.CallsAsync("evalsha"), 1, 500);
        foreach (var lease in leases)
        {
            Assert.False(await client.Database.KeyExistsAsync(lease.Resource));
        }
    }

    [Fact]
    public async Task Of_those_who_want_the_same_lease_at_once_one_gets_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var last = 0L;
        for (var round = 0; round < 20; round++)
        {
            var won = (await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => client.Leases.TryAcquireAsync("same", s_noWait))))
                .OfType<ILease>().ToList();
            var lease = Assert.Single(won);
            Assert.True(lease.FencingToken > last);
            last = lease.FencingToken;
            await lease.DisposeAsync();
        }
    }

    [Fact]
    public async Task One_that_is_refused_fails_alone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.ListRightPushAsync("refused:25", "not a lease");
        var attempts = Enumerable.Range(0, 50).Select(i => client.Leases.TryAcquireAsync($"refused:{i}", s_noWait)).ToList();
        await Assert.ThrowsAsync<RedisServerException>(() => attempts[25]);
        attempts.RemoveAt(25);
        foreach (var lease in await Task.WhenAll(attempts))
        {
            // Also those that the group had taken before it came to the one that was refused.
            Assert.Equal($"{lease!.Owner}:{lease!.FencingToken}", (string?)await client.Database.StringGetAsync(lease!.Resource));
            await lease.DisposeAsync();
            Assert.False(await client.Database.KeyExistsAsync(lease.Resource));
        }
    }

    [Fact]
    public async Task The_server_may_forget_the_script()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        for (var round = 0; round < 3; round++)
        {
            await client.Database.ExecuteAsync("SCRIPT", "FLUSH");
            var leases = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => client.Leases.AcquireAsync($"forgotten:{i}")));
            await client.Database.ExecuteAsync("SCRIPT", "FLUSH");
            await Task.WhenAll(leases.Select(l => l.DisposeAsync().AsTask()));
            Assert.Equal(0, await client.Database.KeyExistsAsync([.. leases.Select(l => (RedisKey)l.Resource)]));
        }
    }

    [Fact]
    public async Task Each_hears_of_it_when_redis_is_gone()
    {
        await using var server = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(server.ConnectionString);
        server.Server.Kill();
        var attempts = Enumerable.Range(0, 50).Select(i => client.Leases.TryAcquireAsync($"gone:{i}", s_noWait)).ToList();
        foreach (var attempt in attempts)
        {
            await Assert.ThrowsAnyAsync<RedisException>(() => attempt.WaitAsync(TimeSpan.FromSeconds(30)));
        }
        await server.Server.StartAsync();
        foreach (var lease in await Task.WhenAll(Enumerable.Range(0, 50).Select(i => client.Leases.AcquireAsync($"gone:{i}"))))
        {
            await lease.DisposeAsync();
        }
    }
}
