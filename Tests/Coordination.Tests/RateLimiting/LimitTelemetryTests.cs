using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

[Collection(AloneCollection.Name)]
public sealed class LimitTelemetryTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    public Task InitializeAsync() => redis.Redis[redis.Redis.Topology.Primary].StartAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Decisions_and_waits_are_counted_by_policy_and_never_by_partition()
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var limit = new FixedWindowLimit { Policy = "counted", PermitLimit = 1, Window = TimeSpan.FromMilliseconds(200), QueueLimit = 1 };
        await using var limiter = client.Limiters.Create(limit.Patient(), "somebody");
        using var first = await limiter.AcquireAsync();
        var waiting = limiter.AcquireAsync().AsTask();
        await Eventually.TrueAsync(() => limiter.GetStatistics()!.CurrentQueuedCount == 1, "it waits");
        using var refused = await limiter.AcquireAsync();
        using var second = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(second.IsAcquired);
        Assert.False(refused.IsAcquired);

        redis.Redis[redis.Redis.Topology.Primary].Kill();
        using var without = await limiter.AcquireAsync();
        Assert.True(without.IsAcquired);

        Assert.Equal(["permitted redis", "rejected redis", "permitted redis", "permitted local"],
            Of("redis.ratelimit.decisions").Select(t => $"{t["redis.ratelimit.outcome"]} {t["redis.ratelimit.source"]}"));
        Assert.Equal(["permitted", "rejected", "permitted", "permitted"],
            Of("redis.ratelimit.decision.duration").Select(t => $"{t["redis.ratelimit.outcome"]}"));
        Assert.Single(Of("redis.ratelimit.fallbacks"));
        Assert.Equal([1, -1], telemetry.Values.Where(v => v.Name == "redis.ratelimit.queued").Select(v => v.Value));
        Assert.DoesNotContain(telemetry.Tags.SelectMany(t => t.Tags), t => $"{t.Value}".Contains("somebody", StringComparison.Ordinal));

        List<Dictionary<string, object?>> Of(string instrument)
        {
            var all = telemetry.Tags.Where(t => t.Name == instrument).Select(t => t.Tags.ToDictionary(p => p.Key, p => p.Value)).ToList();
            Assert.All(all, t => Assert.Equal("counted", t["redis.ratelimit.policy"]));
            return all;
        }
    }
}
