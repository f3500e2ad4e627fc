using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

public sealed class RedisScriptTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public void An_include_is_replaced_by_the_library_script()
    {
        var script = RedisScript.Load<LeaseFencingTests>("guarded-increment");
        Assert.Equal("guarded-increment", script.Name);
        Assert.Contains("local function fencing_accepts", script.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("--@include", script.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_script_that_is_not_embedded_is_named()
    {
        var thrown = Assert.Throws<InvalidOperationException>(() => RedisScript.Load<RedisScriptTests>("missing"));
        Assert.Contains("AspireRedis.Coordination.Tests.missing.lua", thrown.Message, StringComparison.Ordinal);
        // It lies beside another class.
        Assert.Throws<InvalidOperationException>(() => RedisScript.Load<RedisScriptTests>("guarded-increment"));
        Assert.Throws<InvalidOperationException>(() => RedisScript.Load<RedisLeaseProvider>("guarded-increment"));
    }

    [Fact]
    public void An_include_that_does_not_exist_is_named()
    {
        var thrown = Assert.Throws<InvalidOperationException>(() => RedisScript.Load<RedisScriptTests>("including-nothing"));
        Assert.Contains("no-such-script.lua", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_runs_also_after_the_server_has_forgotten_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var script = RedisScript.Load<LeaseFencingTests>("guarded-increment");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(1, (int)await client.Deployment.EvaluateAsync(script, ["script"], [1, i]));
            await client.Database.ExecuteAsync("SCRIPT", "FLUSH");
        }
        Assert.Equal(2, (int)await client.Database.HashGetAsync("script", "count"));
    }

    [Fact]
    public async Task An_error_in_it_is_a_server_exception()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("wrong-type", "x");
        var script = RedisScript.Load<LeaseFencingTests>("guarded-increment");
        await Assert.ThrowsAsync<RedisServerException>(() => client.Deployment.EvaluateAsync(script, ["wrong-type"], [1, 1]));
    }
}
