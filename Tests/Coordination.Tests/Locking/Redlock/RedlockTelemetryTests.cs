using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

public sealed class RedlockTelemetryTests(RedlockFixture redis) : IClassFixture<RedlockFixture>
{
    [Fact]
    public async Task A_span_tells_how_the_nodes_voted_and_the_metrics_the_kind()
    {
        using var root = new Activity("test").Start();
        using var telemetry = new Telemetry();
        await using var client = await RedlockClient.ConnectAsync(redis.Redis);
        foreach (var node in client.Nodes.Take(3))
        {
            await node.StringSetAsync("traced_lock:{7}", "somebody");
        }

        Assert.Null(await client.Leases.TryAcquireAsync("traced_lock:{7}", new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        await (await client.Leases.AcquireAsync("traced_lock:{8}")).DisposeAsync();

        var spans = telemetry.OperationsOf(root);
        Assert.Equal(2, spans.Count);
        var refused = spans[0];
        Assert.Equal("lease acquire traced_lock", refused.DisplayName);
        Assert.Equal("redlock", refused.GetTagItem("redis.lock.kind"));
        Assert.Equal("timeout", refused.GetTagItem("redis.lock.outcome"));
        Assert.Equal(5, refused.GetTagItem("redis.lock.nodes"));
        Assert.Equal(3, refused.GetTagItem("redis.lock.nodes.held"));
        Assert.InRange((int)spans[1].GetTagItem("redis.lock.nodes.granted")!, 3, 5);
        var redlock = telemetry.Tags.Where(m => m.Tags.Any(t => t is { Key: "redis.lock.kind", Value: "redlock" })).Select(m => m.Name)
            .ToList();
        Assert.Contains("redis.lock.acquisitions", redlock);
        Assert.Contains("redis.lock.wait.duration", redlock);
        Assert.Contains("redis.lock.hold.duration", redlock);
        Assert.DoesNotContain(telemetry.Tags.SelectMany(m => m.Tags), t => t.Value is string value
            && value.Contains('{', StringComparison.Ordinal));
    }
}
