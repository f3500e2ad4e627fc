using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>Leases that a replica must have before they are returned.</summary>
public sealed class LeaseDurabilityTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);
    private static readonly LeaseOptions s_replica = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = s_bound,
        Durability = Durability.Replica };

    [Fact]
    public async Task A_lease_that_a_replica_has_outlives_the_primary_and_one_that_none_has_is_given_back()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(1) });
        await using var durable = new RedisLeaseProvider(client.Deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance,
            writer);
        await Eventually.HoldsAsync(async () => await (await durable.AcquireAsync("ready", s_replica)).DisposeAsync(),
            "a replica acknowledges", s_bound);

        // While no replica answers: neither the free lease nor the one that is handed over.
        var held = await client.Leases.AcquireAsync("handed-over", s_replica with { Durability = Durability.Memory });
        var waiting = durable.AcquireAsync("handed-over", s_replica);
        await client.UntilQueuedAsync("handed-over", 1);
        var replicas = redis.Redis.Topology.Replicas.Select(r => redis.Redis[r]).ToList();
        replicas.ForEach(r => r.Freeze());
        var thrown = await Assert.ThrowsAsync<NotDurableException>(() => durable.AcquireAsync("unsafe", s_replica));
        Assert.Equal(0, thrown.Acknowledged);
        await held.DisposeAsync();
        await Assert.ThrowsAsync<NotDurableException>(() => waiting.WaitAsync(s_bound));
        await Eventually.TrueAsync(
            async () => !await client.Database.KeyExistsAsync("unsafe") && !await client.Database.KeyExistsAsync("handed-over"),
            "both are given back");
        replicas.ForEach(r => r.Thaw());

        await using var first = await client.Leases.AcquireAsync("safe", s_replica with { Durability = Durability.Memory });
        var next = durable.AcquireAsync("safe", s_replica);
        await client.UntilQueuedAsync("safe", 1);
        await first.DisposeAsync();
        await using var lease = await next.WaitAsync(s_bound);
        var value = (string?)await client.Database.StringGetAsync("safe");
        Assert.EndsWith($":{lease.FencingToken}", value, StringComparison.Ordinal);
        var primary = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[primary].Kill();
        await redis.Redis.WaitForPrimaryOtherThanAsync(primary);

        await Eventually.HoldsAsync(async () => Assert.Equal(value, await client.Database.StringGetAsync("safe")),
            "the new primary has the lease", s_bound);
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task A_provider_without_a_writer_says_so()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var thrown = await Assert.ThrowsAsync<ArgumentException>(() => client.Leases.AcquireAsync("x", s_replica));
        Assert.Contains("LeaseOptions.Durability", thrown.Message, StringComparison.Ordinal);
    }
}
