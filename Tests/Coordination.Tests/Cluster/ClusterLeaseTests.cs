using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Cluster;

[Collection(SharedClusterCollection.Name)]
public sealed class ClusterLeaseTests(ClusterFixture redis)
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);
    private static readonly LeaseOptions s_waiting = new() { Ttl = TimeSpan.FromMinutes(2), WaitTimeout = s_bound };

    [Fact]
    public async Task A_waiter_of_another_process_is_woken_at_every_shard_long_before_the_lease_would_run_out()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var resource = $"woken:{tag}";
            for (var turn = 0; turn < 3; turn++)
            {
                var held = await one.Leases.AcquireAsync(resource, s_waiting);
                var waiting = other.Leases.AcquireAsync(resource, s_waiting);
                await UntilQueuedAsync(one, $"{resource}:queue");
                await held.DisposeAsync();
                await using var next = await waiting;
                Assert.True(next.FencingToken > held.FencingToken);
            }
        }
    }

    [Fact]
    public async Task A_release_reaches_its_waiter_and_has_nobody_else_look_as_the_waiter_listens_where_the_lease_is()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var resource = $"heard:{tag}";
            await using var held = await one.Leases.AcquireAsync(resource, s_waiting);
            var waiting = other.Leases.AcquireAsync(resource, s_waiting);
            await UntilQueuedAsync(one, $"{resource}:queue");
            // What the release would be told: how many subscribers the node itself has.
            var owner = (string)(await one.Deployment.RunAsync($"{resource}:queue", d => d.SortedSetRangeByRankAsync($"{resource}:queue"),
                repeatable: true)).Single()!;
            var subscribers = await one.Deployment.DatabaseOf(resource).ExecuteAsync("PUBSUB", "NUMSUB", $"lease-wake:{owner[..32]}");
            Assert.Equal(1, (int)subscribers[1]);
            await held.DisposeAsync();
            await (await waiting).DisposeAsync();
        }
    }

    [Fact]
    public async Task Shared_leases_and_semaphores_admit_whom_they_should_at_every_shard()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var atOnce = new LeaseOptions { WaitTimeout = TimeSpan.Zero };
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var first = await one.SharedLeases.Shared.AcquireAsync($"shared:{tag}", s_waiting);
            var second = await other.SharedLeases.Shared.AcquireAsync($"shared:{tag}", s_waiting);
            var alone = one.SharedLeases.Exclusive.AcquireAsync($"shared:{tag}", s_waiting);
            await UntilQueuedAsync(one, $"shared:{tag}:shared:queue");
            await first.DisposeAsync();
            Assert.False(alone.IsCompleted);
            await second.DisposeAsync();
            await (await alone).DisposeAsync();

            var permit = await one.Semaphores.WithPermits(2).AcquireAsync($"pool:{tag}", s_waiting);
            var another = await other.Semaphores.WithPermits(2).AcquireAsync($"pool:{tag}", s_waiting);
            Assert.Null(await one.Semaphores.WithPermits(2).TryAcquireAsync($"pool:{tag}", atOnce));
            var third = other.Semaphores.WithPermits(2).AcquireAsync($"pool:{tag}", s_waiting);
            await UntilQueuedAsync(one, $"pool:{tag}:semaphore:queue");
            await permit.DisposeAsync();
            await (await third).DisposeAsync();
            await another.DisposeAsync();
        }
    }

    [Fact]
    public async Task Leases_of_many_slots_that_are_taken_at_once_do_not_get_in_each_others_way()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);

        // Calls that come together are sent as one script, of one slot.
        var leases = await Task.WhenAll(Enumerable.Range(0, 300).Select(
            n => client.Leases.TryAcquireAsync($"crowd:{n % 150}", new LeaseOptions { WaitTimeout = TimeSpan.Zero })));

        Assert.Equal(150, leases.Count(l => l is not null));
        await Task.WhenAll(leases.OfType<ILease>().Select(l => l.DisposeAsync().AsTask()));
        Assert.True(client.Deployment.Shards.Count == 3);
    }

    private static Task UntilQueuedAsync(TestClient client, string queue)
        => Eventually.TrueAsync(
            () => client.Deployment.RunAsync(queue, d => d.KeyExistsAsync(queue), repeatable: true), "it is in the queue");
}
