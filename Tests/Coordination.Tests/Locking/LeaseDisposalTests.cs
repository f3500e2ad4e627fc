using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseDisposalTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(120) };

    [Fact]
    public async Task Disposal_ends_waits_gives_up_their_places_and_leaves_leases_to_their_holders()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var held = await client.Leases.AcquireAsync("disposed", s_long);
        var waiting = Enumerable.Range(0, 5).Select(_ => client.Leases.AcquireAsync("disposed", s_long)).ToList();
        await client.UntilQueuedAsync("disposed", 5);

        await client.Leases.DisposeAsync();

        foreach (var wait in waiting)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(() => wait.WaitAsync(TimeSpan.FromSeconds(30)));
        }
        await client.UntilQueuedAsync("disposed", 0);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.Leases.AcquireAsync("disposed", s_long));
        held.ThrowIfLost();
        Assert.Null(await other.Leases.TryAcquireAsync("disposed", s_long with { WaitTimeout = TimeSpan.Zero }));
        await held.DisposeAsync();
        await using var next = await other.Leases.AcquireAsync("disposed", s_long with { WaitTimeout = TimeSpan.Zero });
        await client.Leases.DisposeAsync();
    }

    [Fact]
    public async Task Disposal_ends_the_waits_for_shared_leases_and_permits_too()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = await client.SharedLeases.Exclusive.AcquireAsync("disposed-shared", s_long);
        await using var permit = await client.Semaphores.WithPermits(1).AcquireAsync("disposed-permit", s_long);
        var reading = client.SharedLeases.Shared.AcquireAsync("disposed-shared", s_long);
        var waiting = client.Semaphores.WithPermits(1).AcquireAsync("disposed-permit", s_long);

        await client.SharedLeases.DisposeAsync();
        await client.Semaphores.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => reading.WaitAsync(TimeSpan.FromSeconds(30)));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(30)));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.SharedLeases.Exclusive.AcquireAsync("disposed-other", s_long));
        Assert.Throws<ObjectDisposedException>(() => client.Semaphores.WithPermits(2));
        writer.ThrowIfLost();
        permit.ThrowIfLost();
    }

    [Fact]
    public async Task Disposal_during_the_coming_and_going_of_waiters_leaves_nothing_behind()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var contending = Enumerable.Range(0, 20).Select(async _ =>
        {
            await Task.Yield();
            while (true)
            {
                try
                {
                    await using var lease = await client.Leases.AcquireAsync("disposed-busy", s_long);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
            }
        }).ToList();
        await Eventually.TrueAsync(async () => await client.QueuedAsync("disposed-busy") > 10, "they contend");

        await client.Leases.DisposeAsync();

        await Task.WhenAll(contending).WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(
            async () => !await client.Database.KeyExistsAsync("disposed-busy") && await client.QueuedAsync("disposed-busy") == 0,
            "nothing is left");
    }
}
