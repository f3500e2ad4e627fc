using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

public sealed class RedisDeploymentTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task With_a_token_that_is_cancelled_already_nothing_is_sent()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var cancelled = new CancellationToken(canceled: true);
        var called = false;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Deployment.EvaluateAsync(s_count, ["cancelled"], [],
            cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Deployment.RunAsync("cancelled", database =>
        {
            called = true;
            return database.StringIncrementAsync("cancelled");
        }, repeatable: false, cancelled));

        Assert.False(called);
        Assert.False(await client.Database.KeyExistsAsync("cancelled"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cancellation_ends_the_wait_for_a_server_that_does_not_answer(bool script)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // Behind a command that is held up the server reads nothing more of a connection.
        await using var observer = await TestClient.ConnectAsync(redis.ConnectionString);
        await observer.Database.ExecuteAsync("CLIENT", "PAUSE", 60_000, "WRITE");
        try
        {
            using var stopping = new CancellationTokenSource();
            Task write = script
                ? client.Deployment.EvaluateAsync(s_count, ["paused"], [], stopping.Token)
                : client.Deployment.RunAsync("paused", database => database.StringIncrementAsync("paused"), repeatable: false,
                    stopping.Token);
            await Eventually.TrueAsync(
                async () => ((string)(await observer.Database.ExecuteAsync("CLIENT", "LIST"))!)
                    .Contains(script ? "cmd=evalsha" : "cmd=incr", StringComparison.Ordinal),
                "the server has it");
            Assert.False(write.IsCompleted);
            await stopping.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write.WaitAsync(s_bound));
        }
        finally
        {
            await observer.Database.ExecuteAsync("CLIENT", "UNPAUSE");
        }
    }

    [Fact]
    public async Task Without_a_connection_nothing_is_applied_and_nobody_waits()
    {
        await using var deployment = new RedisDeployment(
            () => throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "not reached yet"), ()
            => new ConfigurationOptions());

        await Assert.ThrowsAsync<RedisUnavailableException>(() => deployment.EvaluateAsync(s_count, ["key"], []));
        await Assert.ThrowsAsync<RedisUnavailableException>(
            () => deployment.RunAsync("key", database => database.StringGetAsync("key"), repeatable: true));
    }

    [Fact]
    public async Task A_script_without_a_key_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.Deployment.EvaluateAsync(s_count, [], []));
    }
}
