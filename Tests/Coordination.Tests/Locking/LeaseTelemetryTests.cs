using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

[Collection(AloneCollection.Name)]
public sealed class LeaseTelemetryTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task A_span_has_the_family_in_its_name_and_tells_of_place_and_hand_over()
    {
        using var root = new Activity("test").Start();
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);

        var held = await client.Leases.AcquireAsync("traced_lock:{7}");
        var waiting = client.Leases.AcquireAsync("traced_lock:{7}");
        await Eventually.TrueAsync(async () => await client.Database.SortedSetLengthAsync("traced_lock:{7}:queue") == 1, "it is queued");
        await held.DisposeAsync();
        await (await waiting).DisposeAsync();
        await (await client.Leases.AcquireAsync("traced")).DisposeAsync();
        await (await client.Leases.AcquireAsync("{traced}")).DisposeAsync();

        var spans = telemetry.OperationsOf(root);
        Assert.Equal(["lease acquire traced_lock", "lease acquire traced_lock", "lease acquire", "lease acquire"],
            spans.Select(s => s.DisplayName));
        var waited = spans[1];
        Assert.Equal("traced_lock:{7}", waited.GetTagItem("redis.lock.resource"));
        Assert.Equal(0, waited.GetTagItem("redis.lock.queue_position"));
        Assert.Equal(true, waited.GetTagItem("redis.lock.handed_over"));
        Assert.Equal("acquired", waited.GetTagItem("redis.lock.outcome"));
    }

    [Fact]
    public async Task Hand_overs_waits_and_holds_are_measured_without_the_name()
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);

        var held = await client.Leases.AcquireAsync("measured");
        var waiting = client.Leases.AcquireAsync("measured");
        await client.UntilQueuedAsync("measured", 1);
        await held.DisposeAsync();
        await (await waiting).DisposeAsync();

        // Other tests of this process are measured too.
        string[] expected = ["redis.lock.acquisitions", "redis.lock.handovers", "redis.lock.wait.duration", "redis.lock.hold.duration",
            "redis.lock.waiters"];
        Assert.All(expected, name => Assert.Contains(telemetry.Tags, s => s.Name == name));
        Assert.DoesNotContain(telemetry.Tags.SelectMany(s => s.Tags), t => "measured".Equals(t.Value as string, StringComparison.Ordinal));
    }
}
