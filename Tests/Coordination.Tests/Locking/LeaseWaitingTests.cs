using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Time.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseWaitingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };

    [Fact]
    public async Task A_waiter_is_woken_by_the_release()
    {
        await using var holder = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var waiter = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await holder.Leases.AcquireAsync("woken", s_long);
        var waiting = waiter.Leases.AcquireAsync("woken", s_long);
        await holder.UntilQueuedAsync("woken", 1);

        var clock = Stopwatch.StartNew();
        await held.DisposeAsync();
        await using var next = await waiting.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{clock.Elapsed} after the release; the TTL is {s_long.Ttl}");
        Assert.True(next.FencingToken > held.FencingToken);
    }

    [Fact]
    public async Task Waiters_that_come_and_go_on_one_connection_do_not_unsubscribe_one_another()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            for (var round = 0; round < 300; round++)
            {
                await using var lease = await client.Leases.AcquireAsync("come-and-go", s_long);
            }
        }));
        // One lost message costs the whole TTL.
        Assert.True(clock.Elapsed < s_long.Ttl, $"{clock.Elapsed}");
    }

    [Fact]
    public async Task A_release_whose_message_is_lost_is_found_when_the_TTL_is_over()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("silent", "somebody", TimeSpan.FromSeconds(2));
        var waiting = client.Leases.AcquireAsync("silent", s_long);
        await client.UntilQueuedAsync("silent", 1);

        await client.Database.KeyDeleteAsync("silent");

        await using var lease = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_waiter_gets_the_lease_of_a_process_that_was_killed()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var puppet = PuppetProcess.Start("lease", [redis.ConnectionString, "orphaned", "5000"]);
        await puppet.WaitForOutputAsync("holding");
        var waiting = client.Leases.AcquireAsync("orphaned", s_long);
        await client.UntilQueuedAsync("orphaned", 1);
        Assert.False(waiting.IsCompleted);

        puppet.Kill();

        await using var lease = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_wait_that_runs_out_gives_null_or_the_exception()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var held = await client.Leases.AcquireAsync("timeout", s_long);
        var shortly = s_long with { WaitTimeout = TimeSpan.FromMilliseconds(200) };

        Assert.Null(await client.Leases.TryAcquireAsync("timeout", shortly));
        var thrown = await Assert.ThrowsAsync<LeaseNotAcquiredException>(() => client.Leases.AcquireAsync("timeout", shortly));
        Assert.Equal("timeout", thrown.Resource);
        Assert.Contains("0.2 s", thrown.Message, StringComparison.Ordinal);
        held.ThrowIfLost();
    }

    [Fact]
    public async Task The_wait_is_measured_by_the_given_clock()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        // Without a TTL only the wait timeout can end the wait.
        await client.Database.StringSetAsync("clocked-wait", "somebody");
        var waiting = client.Leases.TryAcquireAsync("clocked-wait", new LeaseOptions { WaitTimeout = TimeSpan.FromHours(20) });
        await client.UntilQueuedAsync("clocked-wait", 1);
        clock.Advance(TimeSpan.FromHours(19));
        Assert.False(waiting.IsCompleted);

        await Eventually.TrueAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromMinutes(30));
                return waiting.IsCompleted;
            },
            "the wait is over");
        Assert.Null(await waiting);
    }

    [Fact]
    public async Task A_cancelled_waiter_leaves_neither_key_nor_place_behind()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync("cancelled", s_long);
        using var cancellation = new CancellationTokenSource();
        var waiting = client.Leases.AcquireAsync("cancelled", s_long, cancellation.Token);
        await client.UntilQueuedAsync("cancelled", 1);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await held.DisposeAsync();

        Assert.False(await client.Database.KeyExistsAsync("cancelled"));
        await client.UntilQueuedAsync("cancelled", 0);
    }

    [Theory]
    [InlineData("cancelled-early:free", false)]
    [InlineData("cancelled-early:held", true)]
    public async Task Cancellation_at_any_moment_leaves_nothing_behind(string resource, bool held)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        if (held)
        {
            await client.Database.StringSetAsync(resource, "somebody");
        }
        for (var i = 0; i < 300; i++)
        {
            using var cancellation = new CancellationTokenSource();
            var acquiring = client.Leases.AcquireAsync(resource, s_long, cancellation.Token);
            Thread.SpinWait(i * 400);
            await cancellation.CancelAsync();
            try
            {
                await (await acquiring).DisposeAsync();
            }
            catch (OperationCanceledException)
            {
                // Either outcome is right; a key or a place in the queue that stays is not.
            }
        }
        await Eventually.TrueAsync(async () => held || !await client.Database.KeyExistsAsync(resource), "the key is gone");
        await client.UntilQueuedAsync(resource, 0);
        if (held)
        {
            Assert.Equal("somebody", await client.Database.StringGetAsync(resource));
        }
    }

    [Fact]
    public async Task Cancelled_before_it_begins_it_sends_nothing()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => client.Leases.AcquireAsync("never", s_long, new CancellationToken(canceled: true)));
        Assert.False(await client.Database.KeyExistsAsync("{never}:fence"));
    }
}
