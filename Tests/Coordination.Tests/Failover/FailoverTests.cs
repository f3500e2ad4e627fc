using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Failover;

public sealed class FailoverTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task After_kill_9_of_the_primary_everything_goes_on_at_the_new_one_without_being_created_again()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(1) });
        var topic = Numbered.Topic("failover");
        await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(2) });
        var before = await client.Leases.AcquireAsync("failover:lease", new LeaseOptions { Ttl = TimeSpan.FromSeconds(60) });
        var held = await client.Leases.AcquireAsync("failover:held", new LeaseOptions { Ttl = TimeSpan.FromSeconds(60) });
        await client.AppendNumbersAsync("failover", 0, 100);
        await Eventually.TrueAsync(() => group.Received.Count >= 100, "the events before are handled");
        // Acknowledged by both replicas, whichever is promoted; it speaks for what was written before it too.
        await using (var both = client.CreateWriter(new() { Replicas = 2, AcknowledgeTimeout = s_bound }))
        {
            await both.EvaluateAsync(s_count, ["failover:acknowledged"], [], Durability.Replica, default);
        }
        await writer.EvaluateAsync(s_count, ["failover:count"], [], Durability.Replica, default);
        Assert.Equal(1, (int)await client.Database.StringGetAsync("failover:acknowledged"));
        await before.DisposeAsync();

        var primary = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[primary].Kill();
        var promoted = await redis.Redis.WaitForPrimaryOtherThanAsync(primary);

        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["failover:count"], [], Durability.Replica, default),
            "the writer goes on", s_bound);
        Assert.Equal(promoted.Port, Assert.IsType<System.Net.IPEndPoint>(client.Shard.Primary).Port);
        Assert.Equal(1, (int)await client.Database.StringGetAsync("failover:acknowledged"));

        await client.AppendNumbersAsync("failover", 100, 100);
        await Eventually.TrueAsync(() => group.Received.Numbers().Distinct().Count() == 200, "consumption goes on", s_bound);
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("failover", "g") == 0, "nothing is pending", s_bound);

        await using (var after = await client.Leases.AcquireAsync("failover:lease", new LeaseOptions { WaitTimeout = s_bound }))
        {
            Assert.True(after.FencingToken > before.FencingToken, $"{after.FencingToken} after {before.FencingToken}");
        }
        // The lease that was held survived, and excludes others still.
        held.ThrowIfLost();
        Assert.Null(await client.Leases.TryAcquireAsync("failover:held", new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        await held.DisposeAsync();
        Assert.False(await client.Database.KeyExistsAsync("failover:held"));
    }
}
