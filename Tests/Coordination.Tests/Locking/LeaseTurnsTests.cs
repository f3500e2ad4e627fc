using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>A lease that is passed on within the process before the server hears of it.</summary>
public sealed class LeaseTurnsTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };

    [Fact]
    public async Task The_next_caller_of_the_process_has_the_lease_without_the_server_which_then_hears_of_it()
    {
        await using var server = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(server.ConnectionString);
        var (held, waiting) = await HeldWithWaiterAsync(client, "local");
        server.Server.Freeze();

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        var next = await waiting.WaitAsync(s_bound);

        // Believed as long as the one before could, and no longer.
        next.ThrowIfLost();
        Assert.True(next.Remaining < s_long.Ttl);
        Assert.True(next.FencingToken > held.FencingToken);
        Assert.True(clock.Elapsed < s_long.Ttl / 2, $"{clock.Elapsed}");
        server.Server.Thaw();
        await OwnerIsAsync(client, "local", next);
        Assert.Equal(0, await client.QueuedAsync("local"));
        await next.DisposeAsync();
        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("local"), "it is given back");
    }

    [Fact]
    public async Task It_is_lost_at_once_when_the_server_has_given_the_lease_to_another()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var (held, waiting) = await HeldWithWaiterAsync(client, "local-stolen");
        await client.Database.StringSetAsync("local-stolen", "somebody", TimeSpan.FromMinutes(1));

        await held.DisposeAsync();
        var next = await waiting.WaitAsync(s_bound);

        await Eventually.TrueAsync(() => next.LostToken.IsCancellationRequested, "it is told that the lease is lost");
        await next.DisposeAsync();
        Assert.Equal("somebody", await client.Database.StringGetAsync("local-stolen"));
    }

    [Fact]
    public async Task A_shorter_TTL_of_the_next_caller_is_not_believed_beyond()
    {
        await using var server = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(server.ConnectionString);
        var shorter = s_long with { Ttl = TimeSpan.FromSeconds(2) };
        var (held, waiting) = await HeldWithWaiterAsync(client, "shorter", shorter);
        server.Server.Freeze();

        await held.DisposeAsync();
        var next = await waiting.WaitAsync(s_bound);

        Assert.True(next.Remaining < shorter.Ttl);
        await Eventually.TrueAsync(() => next.LostToken.IsCancellationRequested, "it is told that the lease has run out");
        server.Server.Thaw();
        await next.DisposeAsync();
    }

    [Fact]
    public async Task Callers_of_two_processes_that_alternate_are_served_in_order_with_rising_tokens()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        const int Callers = 60;
        var held = await one.Leases.AcquireAsync("turns", s_long);
        var served = new List<(int Number, long Token)>();
        var serving = new List<Task>();
        for (var i = 0; i < Callers; i++)
        {
            // Runs of several of one process, and single ones.
            serving.Add(ServeAsync(i % 7 < 4 ? one : other, i));
            await one.UntilQueuedAsync("turns", i + 1);
        }
        await held.DisposeAsync();
        await Task.WhenAll(serving).WaitAsync(s_bound);

        Assert.Equal(Enumerable.Range(0, Callers), served.Select(s => s.Number));
        Assert.Equal(served.Select(s => s.Token).Order().Distinct(), served.Select(s => s.Token));
        await Eventually.TrueAsync(
            async () => !await one.Database.KeyExistsAsync("turns") && await one.QueuedAsync("turns") == 0, "nothing is left");

        async Task ServeAsync(TestClient client, int number)
        {
            await using var lease = await client.Leases.AcquireAsync("turns", s_long);
            // The lease guards the list.
            served.Add((number, lease.FencingToken));
            if (number % 5 == 0)
            {
                // Long enough for the server to confirm it, so that it can be passed on.
                await OwnerIsAsync(client, "turns", lease);
            }
        }
    }

    [Fact]
    public async Task A_caller_that_is_cancelled_is_not_given_the_lease_and_the_one_behind_it_is()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        for (var i = 0; i < 200; i++)
        {
            var held = await client.Leases.AcquireAsync("turn-cancelled", s_long);
            using var cancellation = new CancellationTokenSource();
            var racing = client.Leases.AcquireAsync("turn-cancelled", s_long, cancellation.Token);
            var behind = client.Leases.AcquireAsync("turn-cancelled", s_long);
            await client.UntilQueuedAsync("turn-cancelled", 2);
            var cancelling = Task.Run(cancellation.CancelAsync);
            await held.DisposeAsync();
            try
            {
                await (await racing).DisposeAsync();
            }
            catch (OperationCanceledException)
            {
                // Either outcome is right.
            }
            await cancelling;
            await (await behind.WaitAsync(s_bound)).DisposeAsync();
        }
        await Eventually.TrueAsync(
            async () => !await client.Database.KeyExistsAsync("turn-cancelled") && await client.QueuedAsync("turn-cancelled") == 0,
            "nothing is left");
    }

    [Fact]
    public async Task A_process_that_dies_right_after_a_turn_costs_its_TTL()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var puppet = PuppetProcess.Start("queue", [redis.ConnectionString, "turn-dead", "3"]);
        await puppet.WaitForOutputAsync("holding");
        var next = client.Leases.AcquireAsync("turn-dead", s_long);
        await Eventually.TrueAsync(async () => await client.QueuedAsync("turn-dead") >= 1, "it is queued");
        puppet.Kill();
        await using var lease = await next.WaitAsync(s_bound);
        lease.ThrowIfLost();
    }

    /// <summary>A lease that the server has confirmed, and a caller of the same process that is next.</summary>
    private static async Task<(ILease Held, Task<ILease> Waiting)> HeldWithWaiterAsync(TestClient client, string resource,
        LeaseOptions? waiter = null)
    {
        // Has waited before, so that it listens.
        await client.Database.StringSetAsync(resource, "somebody", TimeSpan.FromMinutes(1));
        await client.Leases.TryAcquireAsync(resource, s_long with { WaitTimeout = TimeSpan.FromMilliseconds(50) });
        await client.Database.KeyDeleteAsync(resource);
        var held = await client.Leases.AcquireAsync(resource, s_long);
        var waiting = client.Leases.AcquireAsync(resource, waiter ?? s_long);
        await client.UntilQueuedAsync(resource, 1);
        // The reply that says so is behind that of the waiter.
        await Eventually.TrueAsync(() => held.HasSuccessor, "the holder knows who is next");
        return (held, waiting);
    }

    private static Task OwnerIsAsync(TestClient client, string resource, ILease lease)
        => Eventually.TrueAsync(
            async () => ((string?)await client.Database.StringGetAsync(resource))?.EndsWith($":{lease.FencingToken}",
            StringComparison.Ordinal) == true,
            "the server takes it for the owner");
}
