using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>A server that takes no writes for a while, or does not answer, over connections that stay.</summary>
public sealed class LeaseRefusalTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromMinutes(2), WaitTimeout = TimeSpan.FromMinutes(5) };

    private RedisProcess Server => redis.Redis[redis.Redis.Topology.Primary];

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        Server.Thaw();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("lease")]
    [InlineData("semaphore")]
    public async Task A_release_that_is_refused_for_want_of_replicas_is_made_when_they_are_back(string kind)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var name = $"refused:{kind}";
        var held = await Leases(client).AcquireAsync(name, s_long);
        var waiting = Leases(other).AcquireAsync(name, s_long);
        await Eventually.TrueAsync(async () => await QueuedAsync() == 1, "it waits");
        await client.Database.ExecuteAsync("CONFIG", "SET", "min-replicas-to-write", "1");
        try
        {
            // Until the door gives up.
            await held.DisposeAsync();
            Assert.False(waiting.IsCompleted);
        }
        finally
        {
            await client.Database.ExecuteAsync("CONFIG", "SET", "min-replicas-to-write", "0");
        }

        await (await waiting.WaitAsync(s_bound)).DisposeAsync();

        Task<long> QueuedAsync() => kind == "lease" ? client.QueuedAsync(name)
            : client.Database.ListLengthAsync(new LeaseKeys(name).Companion($"{kind}:queue"));

        ILeaseProvider Leases(TestClient of) => kind == "lease" ? of.Leases : of.Semaphores.WithPermits(1);
    }

    [Fact]
    public async Task A_release_that_meets_a_slow_script_is_made_when_that_is_over()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var slow = await TestClient.ConnectAsync(redis.ConnectionString, configure: o => o.AsyncTimeout = 60_000);
        var held = await client.Leases.AcquireAsync("busy", s_long);
        var waiting = other.Leases.AcquireAsync("busy", s_long);
        await client.UntilQueuedAsync("busy", 1);
        await client.Database.ExecuteAsync("CONFIG", "SET", "busy-reply-threshold", "50");
        var script = slow.Database.ExecuteAsync("EVAL", "while true do end", "0");
        await Eventually.TrueAsync(async () => await Record.ExceptionAsync(() => client.Database.PingAsync()) is RedisServerException,
            "the server is busy");

        await held.DisposeAsync();
        Assert.False(waiting.IsCompleted);
        await client.Database.ExecuteAsync("SCRIPT", "KILL");
        await Assert.ThrowsAsync<RedisServerException>(() => script);

        await (await waiting.WaitAsync(s_bound)).DisposeAsync();
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(300, false)]
    [InlineData(300, true)]
    public async Task A_server_that_does_not_answer_costs_the_wait_and_a_second_and_what_it_grants_later_is_given_back(
        int wait, bool isListening)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var name = $"frozen:{wait}:{isListening}";
        var options = s_long with { WaitTimeout = TimeSpan.FromMilliseconds(wait) };
        await (await client.Leases.AcquireAsync(name, options)).DisposeAsync();
        if (isListening)
        {
            await using var held = await client.Leases.AcquireAsync(name, s_long);
            Assert.Null(await client.Leases.TryAcquireAsync(name, options));
        }
        Server.Freeze();
        var since = Stopwatch.StartNew();

        await Assert.ThrowsAsync<RedisOutcomeUnknownException>(() => client.Leases.TryAcquireAsync(name, options));

        AssertWithin(options.WaitTimeout, since);
        Server.Thaw();
        // Its TTL is longer.
        await using var next = await client.Leases.AcquireAsync(name, s_long).WaitAsync(s_bound);
    }

    [Fact]
    public async Task A_waiter_is_not_kept_beyond_its_wait_by_a_server_that_does_not_answer()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var options = s_long with { WaitTimeout = TimeSpan.FromSeconds(2) };
        var held = await client.Leases.AcquireAsync("frozen:waiter", s_long);
        var since = Stopwatch.StartNew();
        var waiting = client.Leases.TryAcquireAsync("frozen:waiter", options);
        await client.UntilQueuedAsync("frozen:waiter", 1);
        Server.Freeze();

        Assert.Null(await waiting);

        AssertWithin(options.WaitTimeout, since);
        Server.Thaw();
        await client.UntilQueuedAsync("frozen:waiter", 0);
        await held.DisposeAsync();
    }

    /// <summary>With the second that is promised, and one for a busy machine.</summary>
    private static void AssertWithin(TimeSpan wait, Stopwatch since)
        => Assert.InRange(since.Elapsed, TimeSpan.Zero, wait + TimeSpan.FromSeconds(2));
}
