using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class SemaphoreTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };
    private static readonly LeaseOptions s_once = s_long with { WaitTimeout = TimeSpan.Zero };
    private static readonly RedisScript s_write = RedisScript.Load<SemaphoreTests>("guarded-permit-write");

    [Fact]
    public async Task As_many_hold_a_permit_as_there_are_and_each_has_a_number_of_its_own()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var leases = new List<ILease>();
        foreach (var client in new[] { one, other, one })
        {
            leases.Add(await client.Semaphores.WithPermits(3).AcquireAsync("three", s_once));
        }
        Assert.Equal([1, 2, 3], leases.Select(l => l.Permit));
        Assert.Null(await one.Semaphores.WithPermits(3).TryAcquireAsync("three", s_once));

        await leases[1].DisposeAsync();
        await using var next = await other.Semaphores.WithPermits(3).AcquireAsync("three", s_once);
        Assert.Equal(2, next.Permit);
        Assert.True(next.FencingToken > leases[1].FencingToken);
        await leases[0].DisposeAsync();
        await leases[2].DisposeAsync();
    }

    [Fact]
    public async Task Waiters_get_permits_in_the_order_in_which_they_came()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = new List<ILease>();
        for (var i = 0; i < 2; i++)
        {
            held.Add(await one.Semaphores.WithPermits(2).AcquireAsync("fifo", s_long));
        }
        var waiting = new List<Task<ILease>>();
        for (var i = 0; i < 4; i++)
        {
            waiting.Add((i % 2 == 0 ? one : other).Semaphores.WithPermits(2).AcquireAsync("fifo", s_long));
            await QueuedAsync(one, "fifo", i + 1);
        }
        for (var i = 0; i < 4; i++)
        {
            await held[i].DisposeAsync();
            held.Add(await waiting[i].WaitAsync(s_bound));
            Assert.DoesNotContain(waiting.Skip(i + 1), w => w.IsCompleted);
        }
        await held[4].DisposeAsync();
        await held[5].DisposeAsync();
        await NothingIsLeftAsync(one, "fifo");
    }

    [Fact]
    public async Task Never_more_than_the_limit_under_contention_and_tokens_rise_for_each_permit()
    {
        const int Permits = 5;
        var clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => TestClient.ConnectAsync(redis.ConnectionString)));
        var tokens = new ConcurrentDictionary<int, ConcurrentQueue<long>>();
        var holders = 0;
        var counts = new ConcurrentQueue<int>();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            for (var round = 0; round < 4; round++)
            {
                await using var lease = await clients[i % clients.Length].Semaphores.WithPermits(Permits).AcquireAsync("crowd", s_long);
                counts.Enqueue(Interlocked.Increment(ref holders));
                tokens.GetOrAdd(lease.Permit, _ => new()).Enqueue(lease.FencingToken);
                await Task.Yield();
                Interlocked.Decrement(ref holders);
            }
        })).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.InRange(counts.Max(), 2, Permits);
        Assert.Equal(Enumerable.Range(1, Permits), tokens.Keys.Order());
        Assert.All(tokens.Values, t => Assert.Equal(t.Distinct().Order(), t));
        await NothingIsLeftAsync(clients[0], "crowd");
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_permit_whose_holder_died_is_given_on_when_its_TTL_is_over_and_the_dead_cannot_write()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var semaphore = client.Semaphores.WithPermits(2);
        var ttl = TimeSpan.FromSeconds(1);
        await using var living = await semaphore.AcquireAsync("died", s_long);
        await using var dead = await semaphore.AcquireAsync("died", s_once with { Ttl = ttl, AutoRenew = false });
        Assert.True(await WriteAsync(client, dead));
        var clock = Stopwatch.StartNew();

        await using var next = await semaphore.AcquireAsync("died", s_long).WaitAsync(s_bound);

        Assert.True(clock.Elapsed > ttl * 0.9, $"{clock.Elapsed}");
        Assert.Equal(dead.Permit, next.Permit);
        Assert.True(await WriteAsync(client, next));
        Assert.False(await WriteAsync(client, dead));
        // An older token, and valid all the same.
        Assert.True(await WriteAsync(client, living));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(SemaphoreProvider.MaxPermits + 1)]
    public async Task A_number_of_permits_out_of_range_is_refused(int permits)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        Assert.Equal("permits", Assert.Throws<ArgumentOutOfRangeException>(() => client.Semaphores.WithPermits(permits)).ParamName);
    }

    [Fact]
    public async Task A_name_that_is_empty_or_too_long_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await Assert.ThrowsAsync<ArgumentException>(() => client.Semaphores.WithPermits(1).TryAcquireAsync(" "));
        await Assert.ThrowsAsync<ArgumentException>(() => client.SharedLeases.Shared.TryAcquireAsync(new string('x', 1025)));
    }

    private static Task QueuedAsync(TestClient client, string name, int count) => Eventually.TrueAsync(
        async () => await client.Database.ListLengthAsync($"{{{name}}}:semaphore:queue") == count, $"{count} wait for {name}");

    private static Task NothingIsLeftAsync(TestClient client, string name) => Eventually.TrueAsync(
        async () => await client.Database.KeyExistsAsync(
            [$"{{{name}}}:semaphore:queue", $"{{{name}}}:semaphore:holders", $"{{{name}}}:semaphore:permits"]) == 0,
            "nothing is left but the fence");

    private static async Task<bool> WriteAsync(TestClient client, ILease lease)
        => (int)await client.Deployment.EvaluateAsync(s_write, ["died:guarded"], [lease.FencingToken, lease.Permit]) == 1;
}
