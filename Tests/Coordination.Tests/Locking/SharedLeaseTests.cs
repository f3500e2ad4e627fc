using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class SharedLeaseTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };
    private static readonly LeaseOptions s_once = s_long with { WaitTimeout = TimeSpan.Zero };
    private static readonly RedisScript s_increment = RedisScript.Load<SharedLeaseTests>("guarded-increment");

    [Fact]
    public async Task Those_who_share_hold_it_beside_one_another_and_keep_out_who_wants_it_alone()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var first = await one.SharedLeases.Shared.AcquireAsync("beside", s_once);
        var second = await other.SharedLeases.Shared.AcquireAsync("beside", s_once);

        Assert.Null(await one.SharedLeases.Exclusive.TryAcquireAsync("beside", s_once));
        await first.DisposeAsync();
        Assert.Null(await one.SharedLeases.Exclusive.TryAcquireAsync("beside", s_once));
        await second.DisposeAsync();

        await using var alone = await one.SharedLeases.Exclusive.AcquireAsync("beside", s_once);
        Assert.Null(await other.SharedLeases.Shared.TryAcquireAsync("beside", s_once));
        Assert.Null(await other.SharedLeases.Exclusive.TryAcquireAsync("beside", s_once));
    }

    [Fact]
    public async Task Served_in_the_order_of_arrival_and_neighbours_that_share_come_in_together()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var reading = await one.SharedLeases.Shared.AcquireAsync("order", s_long);
        var writer = one.SharedLeases.Exclusive.AcquireAsync("order", s_long);
        await QueuedAsync(one, "order", 1);
        var readers = new[] { one, other, one }.Select((c, i) => QueueReaderAsync(c, i + 2)).ToArray();
        var behind = await Task.WhenAll(readers);
        var last = other.SharedLeases.Exclusive.AcquireAsync("order", s_long);
        await QueuedAsync(one, "order", 5);

        // A stream of readers must not keep the writer out.
        Assert.Null(await other.SharedLeases.Shared.TryAcquireAsync("order", s_once));

        await reading.DisposeAsync();
        var writing = await writer.WaitAsync(s_bound);
        Assert.DoesNotContain(behind, r => r.Wait.IsCompleted);
        await writing.DisposeAsync();
        var together = await Task.WhenAll(behind.Select(r => r.Wait)).WaitAsync(s_bound);
        Assert.All(together, lease => Assert.True(lease.IsHeld));
        Assert.False(last.IsCompleted);
        foreach (var lease in together)
        {
            await lease.DisposeAsync();
        }
        await (await last.WaitAsync(s_bound)).DisposeAsync();
        await NothingIsLeftAsync(one, "order");

        async Task<(Task<ILease> Wait, int Place)> QueueReaderAsync(TestClient client, int place)
        {
            var wait = client.SharedLeases.Shared.AcquireAsync("order", s_long);
            await Eventually.TrueAsync(async () => await client.Database.ListLengthAsync("{order}:shared:queue") >= place - 1,
                "the reader is queued");
            return (wait, place);
        }
    }

    [Fact]
    public async Task Who_gives_up_its_place_lets_those_behind_it_in()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var reading = await client.SharedLeases.Shared.AcquireAsync("give-up", s_long);
        using var cancellation = new CancellationTokenSource();
        var writer = client.SharedLeases.Exclusive.AcquireAsync("give-up", s_long, cancellation.Token);
        await QueuedAsync(client, "give-up", 1);
        var reader = client.SharedLeases.Shared.AcquireAsync("give-up", s_long);
        await QueuedAsync(client, "give-up", 2);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer);
        await using var lease = await reader.WaitAsync(s_bound);
        reading.ThrowIfLost();
    }

    [Fact]
    public async Task Those_who_share_have_one_token_and_it_rises_over_each_exclusive_holder()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var (shared, exclusive) = (client.SharedLeases.Shared, client.SharedLeases.Exclusive);
        long before, together, after, again;
        await using (var lease = await exclusive.AcquireAsync("tokens", s_once))
        {
            before = lease.FencingToken;
        }
        await using (var first = await shared.AcquireAsync("tokens", s_once))
        await using (var second = await shared.AcquireAsync("tokens", s_once))
        {
            together = first.FencingToken;
            Assert.Equal(together, second.FencingToken);
        }
        await using (var lease = await exclusive.AcquireAsync("tokens", s_once))
        {
            after = lease.FencingToken;
        }
        await using (var lease = await shared.AcquireAsync("tokens", s_once))
        {
            again = lease.FencingToken;
        }
        Assert.True(before < together && together < after && after < again, $"{before} {together} {after} {again}");
    }

    [Fact]
    public async Task A_guarded_write_of_one_that_shared_is_refused_after_an_exclusive_holder_wrote()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var paused = await client.SharedLeases.Shared.AcquireAsync("guarded", s_once with { AutoRenew = false });
        Assert.True(await WriteAsync(client, paused, 1));
        await using (var beside = await client.SharedLeases.Shared.AcquireAsync("guarded", s_once))
        {
            Assert.True(await WriteAsync(client, beside, 2));
            Assert.True(await WriteAsync(client, paused, 3));
        }
        // As if its TTL had passed while it was paused.
        await client.Database.KeyDeleteAsync(["{guarded}:shared:holders", "{guarded}:shared:permits"]);
        await using var next = await client.SharedLeases.Exclusive.AcquireAsync("guarded", s_once);
        Assert.True(await WriteAsync(client, next, 4));

        Assert.False(await WriteAsync(client, paused, 5));
    }

    [Fact]
    public async Task A_holder_that_died_is_succeeded_when_its_TTL_is_over()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var ttl = TimeSpan.FromSeconds(1);
        await using var dead = await client.SharedLeases.Exclusive.AcquireAsync("died", s_once with { Ttl = ttl, AutoRenew = false });
        var clock = Stopwatch.StartNew();

        await using var lease = await client.SharedLeases.Shared.AcquireAsync("died", s_long).WaitAsync(s_bound);

        Assert.True(clock.Elapsed > ttl * 0.9, $"{clock.Elapsed}");
        await Eventually.TrueAsync(() => dead.LostToken.IsCancellationRequested, "the loss is announced");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public async Task Waiters_that_died_with_their_process_cost_one_claim_time(int waiters)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var name = $"dead-waiters:{waiters}";
        var held = await client.SharedLeases.Exclusive.AcquireAsync(name, s_long);
        // Nobody listens to their channel.
        var dead = Guid.NewGuid().ToString("N");
        for (var i = 0; i < waiters; i++)
        {
            await client.Database.ListRightPushAsync($"{{{name}}}:shared:queue", $"x{dead}.{i}");
        }
        var next = client.SharedLeases.Shared.AcquireAsync(name, s_long);
        await QueuedAsync(client, name, waiters + 1);

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        await using var lease = await next.WaitAsync(s_bound);

        Assert.InRange(clock.Elapsed, s_long.ClaimTime * 0.9, s_long.ClaimTime * 6);
    }

    [Fact]
    public async Task A_holder_is_renewed_and_hears_when_the_server_has_forgotten_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var options = s_once with { Ttl = TimeSpan.FromSeconds(1) };
        await using var lease = await client.SharedLeases.Shared.AcquireAsync("renewed", options);
        var first = await EndAsync();
        // The record of its token is kept as long as it is held.
        await client.Database.KeyExpireAsync("{renewed}:shared:fence", TimeSpan.FromHours(1));
        await Eventually.TrueAsync(async () => await EndAsync() > first + options.Ttl.TotalMilliseconds, "it is renewed");
        lease.ThrowIfLost();
        Assert.True(await client.Database.KeyTimeToLiveAsync("{renewed}:shared:fence") > TimeSpan.FromHours(25));

        await client.Database.KeyDeleteAsync(["{renewed}:shared:holders", "{renewed}:shared:permits"]);

        await Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the loss is announced");

        async Task<double> EndAsync() => (await client.Database.SortedSetRangeByRankWithScoresAsync("{renewed}:shared:holders")).Single()
            .Score;
    }

    [Fact]
    public async Task Readers_and_writers_of_several_processes_never_meet()
    {
        var clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => TestClient.ConnectAsync(redis.ConnectionString)));
        int readers = 0, writers = 0, most = 0;
        var violations = new ConcurrentQueue<string>();
        await Task.WhenAll(Enumerable.Range(0, 30).Select(async i =>
        {
            var leases = clients[i % clients.Length].SharedLeases;
            for (var round = 0; round < 5; round++)
            {
                var alone = (i + round) % 5 == 0;
                await using var lease = await (alone ? leases.Exclusive : leases.Shared).AcquireAsync("meeting", s_long);
                if (alone)
                {
                    if (Interlocked.Increment(ref writers) != 1 || Volatile.Read(ref readers) != 0)
                    {
                        violations.Enqueue($"{readers} readers, {writers} writers");
                    }
                    await Task.Yield();
                    Interlocked.Decrement(ref writers);
                }
                else
                {
                    var now = Interlocked.Increment(ref readers);
                    InterlockedMax(ref most, now);
                    if (Volatile.Read(ref writers) != 0)
                    {
                        violations.Enqueue($"{readers} readers, {writers} writers");
                    }
                    await Task.Yield();
                    Interlocked.Decrement(ref readers);
                }
            }
        })).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Empty(violations);
        Assert.True(most > 1, "readers did hold it together");
        await NothingIsLeftAsync(clients[0], "meeting");
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen;)
        {
            var before = Interlocked.CompareExchange(ref most, value, seen);
            if (before == seen)
            {
                return;
            }
            seen = before;
        }
    }

    private static Task QueuedAsync(TestClient client, string name, int count) => Eventually.TrueAsync(
        async () => await client.Database.ListLengthAsync($"{{{name}}}:shared:queue") == count, $"{count} wait for {name}");

    private static Task NothingIsLeftAsync(TestClient client, string name) => Eventually.TrueAsync(
        async () => await client.Database.KeyExistsAsync(
            [$"{{{name}}}:shared:queue", $"{{{name}}}:shared:holders", $"{{{name}}}:shared:permits"]) == 0,
            "nothing is left but the fence");

    private static async Task<bool> WriteAsync(TestClient client, ILease lease, int count)
        => (int)await client.Deployment.EvaluateAsync(s_increment, ["guarded:count"], [lease.FencingToken, count]) == 1;
}
