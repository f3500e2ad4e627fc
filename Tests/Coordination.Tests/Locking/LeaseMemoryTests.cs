using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>A server without memory refuses new leases, and what was given is renewed, handed over and taken back.</summary>
public sealed class LeaseMemoryTests(LeaseMemoryTests.Servers redis) : IClassFixture<LeaseMemoryTests.Servers>, IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = s_bound };
    // Long enough for a machine that is at something else.
    private static readonly LeaseOptions s_short = s_long with { Ttl = TimeSpan.FromSeconds(6) };

    private TestClient _client = null!;

    public async Task InitializeAsync() => _client = await TestClient.ConnectAsync(redis.ConnectionString);

    public async Task DisposeAsync()
    {
        await LimitAsync(0);
        await _client.DisposeAsync();
    }

    [Theory]
    [InlineData("lease", false)]
    [InlineData("lease", true)]
    [InlineData("exclusive", false)]
    [InlineData("semaphore", false)]
    public async Task A_lease_is_handed_over_and_renewed_and_given_back(string kind, bool isLate)
    {
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var name = $"full:{kind}:{isLate}";
        var held = await Leases(_client).AcquireAsync(name, s_long);
        var waiting = Leases(other).AcquireAsync(name, s_short);
        await Eventually.TrueAsync(async () => await QueuedAsync() == 1, "it waits");
        if (isLate)
        {
            // Who has waited for longer than half of the claim time asks the server, and may not believe the message.
            await Task.Delay(s_short.ClaimTime);
        }
        await LimitAsync(1);

        var thrown = await Assert.ThrowsAsync<RedisServerException>(() => Leases(_client).AcquireAsync($"{name}:another", s_long));
        Assert.StartsWith("OOM", thrown.Message, StringComparison.Ordinal);
        await held.DisposeAsync();
        var next = await waiting.WaitAsync(s_bound);
        await OutliveAsync(next);
        await next.DisposeAsync();
        await LimitAsync(0);
        await using var free = await Leases(_client).AcquireAsync(name, s_long with { WaitTimeout = TimeSpan.Zero });

        Task<long> QueuedAsync() => kind == "lease" ? _client.QueuedAsync(name)
            : _client.Database.ListLengthAsync(new LeaseKeys(name).Companion($"{(kind == "exclusive" ? "shared" : kind)}:queue"));

        ILeaseProvider Leases(TestClient of) => kind switch
        {
            "lease" => of.Leases,
            "exclusive" => of.SharedLeases.Exclusive,
            _ => of.Semaphores.WithPermits(1),
        };
    }

    [Fact]
    public async Task A_lease_whose_holder_died_goes_to_who_waits_when_a_claim_has_run_out()
    {
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await _client.Leases.AcquireAsync("full:claim", s_long);
        // A waiter of a process that is dead.
        await _client.Database.SortedSetAddAsync("{full:claim}:queue", $"{Guid.NewGuid():N}.1", held.FencingToken + 1);
        await _client.Database.StringAppendAsync("{full:claim}:fence", "q");
        var waiting = other.Leases.AcquireAsync("full:claim", s_long);
        await _client.UntilQueuedAsync("full:claim", 2);
        await LimitAsync(1);

        await held.DisposeAsync();
        await using var next = await waiting.WaitAsync(s_bound);
        next.ThrowIfLost();
    }

    [Fact]
    public async Task A_lease_that_is_shared_is_renewed()
    {
        await using var lease = await _client.SharedLeases.Shared.AcquireAsync("full:shared", s_short);
        await LimitAsync(1);
        await OutliveAsync(lease);
    }

    [Fact]
    public async Task A_lease_on_independent_nodes_is_renewed_and_given_back()
    {
        await using var client = await RedlockClient.ConnectAsync(redis.Redis);
        var lease = await client.Leases.AcquireAsync("full", s_short);
        await Task.WhenAll(client.Nodes.Select(n => n.ExecuteAsync("CONFIG", "SET", "maxmemory", "1")));

        await Assert.ThrowsAnyAsync<Exception>(() => client.Leases.AcquireAsync("another", s_long with { WaitTimeout = TimeSpan.Zero }));
        await OutliveAsync(lease);
        await lease.DisposeAsync();
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("full") == 0, "it is free");
        await Task.WhenAll(client.Nodes.Select(n => n.ExecuteAsync("CONFIG", "SET", "maxmemory", "0")));
    }

    private static async Task OutliveAsync(ILease lease)
    {
        var since = Stopwatch.StartNew();
        await Eventually.TrueAsync(() => since.Elapsed > s_short.Ttl * 1.3 || !lease.IsHeld, "the TTL is over");
        Assert.True(lease.IsHeld);
    }

    private Task<RedisResult> LimitAsync(int bytes) => _client.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", bytes);

    public sealed class Servers() : LocalRedisFixture(RedlockNodes.Of(3));
}
