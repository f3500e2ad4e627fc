using System.Globalization;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseFencingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_increment = RedisScript.Load<LeaseFencingTests>("guarded-increment");

    [Fact]
    public async Task Tokens_rise_strictly_from_one_acquisition_to_the_next()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var last = 0L;
        for (var i = 0; i < 300; i++)
        {
            last = await NextTokenAsync(client, "rising", last);
        }
    }

    [Fact]
    public async Task Tokens_rise_also_when_the_last_one_is_forgotten_or_set_back()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var last = 0L;
        for (var i = 0; i < 20; i++)
        {
            last = await NextTokenAsync(client, "regressing", last);
        }
        // What a replica has that missed the writes, and is the primary now.
        Assert.True(await client.Database.KeyDeleteAsync("{regressing}:fence"));
        last = await NextTokenAsync(client, "regressing", last);
        await client.Database.StringSetAsync("{regressing}:fence", last - 1000);
        await NextTokenAsync(client, "regressing", last);
    }

    [Fact]
    public async Task Tokens_rise_when_the_server_clock_is_behind_the_last_one()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var last = await NextTokenAsync(client, "slow-clock", 0);
        // The token of a primary whose clock was an hour ahead.
        last += 3_600_000_000;
        await client.Database.StringSetAsync("{slow-clock}:fence", last);
        for (var i = 0; i < 20; i++)
        {
            last = await NextTokenAsync(client, "slow-clock", last);
        }
    }

    [Fact]
    public async Task A_guarded_write_with_a_stale_token_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var paused = await client.Leases.AcquireAsync("guarded", new LeaseOptions { AutoRenew = false });
        Assert.True(await WriteAsync(client, "guarded:count", paused, 1));

        await client.Database.KeyDeleteAsync("guarded");
        await using var next = await client.Leases.AcquireAsync("guarded");
        Assert.True(await WriteAsync(client, "guarded:count", next, 2));

        Assert.False(await WriteAsync(client, "guarded:count", paused, 3));
        Assert.Equal(2, (int)await client.Database.HashGetAsync("guarded:count", "count"));
        Assert.True(await WriteAsync(client, "guarded:count", next, 4));
    }

    [Fact]
    public async Task Fifty_contenders_lose_no_update_of_a_counter_that_they_read_and_write_back()
    {
        const int Contenders = 50;
        const int Rounds = 4;
        var options = new LeaseOptions { Ttl = TimeSpan.FromSeconds(30), WaitTimeout = TimeSpan.FromSeconds(120) };
        var clients = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => TestClient.ConnectAsync(redis.ConnectionString)));

        await Task.WhenAll(Enumerable.Range(0, Contenders).Select(async i =>
        {
            var client = clients[i % clients.Length];
            for (var round = 0; round < Rounds; round++)
            {
                await using var lease = await client.Leases.AcquireAsync("contended", options);
                var count = (int)await client.Database.HashGetAsync("contended:count", "count");
                Assert.True(await WriteAsync(client, "contended:count", lease, count + 1));
            }
        }));

        Assert.Equal(Contenders * Rounds, (int)await clients[0].Database.HashGetAsync("contended:count", "count"));
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    private static async Task<long> NextTokenAsync(TestClient client, string resource, long last)
    {
        await using var lease = await client.Leases.AcquireAsync(resource);
        Assert.True(lease.FencingToken > last, string.Create(CultureInfo.InvariantCulture, $"{lease.FencingToken} after {last}"));
        return lease.FencingToken;
    }

    private static async Task<bool> WriteAsync(TestClient client, string key, Lease lease, int count)
        => (int)await client.Deployment.EvaluateAsync(s_increment, [key], [lease.FencingToken, count]) == 1;
}
