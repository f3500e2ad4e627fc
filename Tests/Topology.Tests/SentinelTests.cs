using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class SentinelTests(SentinelFixture fixture) : IClassFixture<SentinelFixture>
{
    [Fact]
    public async Task Sentinels_agree_and_a_frozen_primary_is_replaced_and_follows_once_thawed()
    {
        var redis = fixture.Redis;
        await redis.WaitUntilCompleteAsync();
        Assert.EndsWith(",serviceName=shop", fixture.ConnectionString, StringComparison.Ordinal);
        var first = await redis.CurrentPrimaryAsync();

        redis[first].Freeze();
        var promoted = await redis.WaitForPrimaryOtherThanAsync(first);
        redis[first].Thaw();

        await redis.WaitUntilCompleteAsync();
        Assert.Equal(promoted, await redis.CurrentPrimaryAsync());
        var role = Assert.IsType<object?[]>(await redis[first].ExecuteAsync(default, "ROLE"));
        Assert.Equal("slave", role[0]);
    }

    [Fact]
    public async Task What_is_missing_is_said_when_the_topology_is_not_complete()
    {
        var redis = fixture.Redis;
        await redis.WaitUntilCompleteAsync();
        var sentinel = redis[redis.Topology.Sentinels[2]];
        sentinel.Kill();

        var error = await Assert.ThrowsAsync<TimeoutException>(() => redis.WaitUntilCompleteAsync(TimeSpan.FromSeconds(1)));
        Assert.Contains($"{sentinel.Node.Port}", error.Message, StringComparison.Ordinal);

        await sentinel.RestartAsync();
        await redis.WaitUntilCompleteAsync();
    }
}
