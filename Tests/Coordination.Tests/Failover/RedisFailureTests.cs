using System.IO.Pipelines;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Failover;

public sealed class RedisFailureTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    public static TheoryData<Exception, RedisFailureKind> Failures => new()
    {
        { new RedisConnectionException(ConnectionFailureType.SocketClosed, "sent"), RedisFailureKind.Unknown },
        { new RedisConnectionException(ConnectionFailureType.SocketClosed, "queued", null, CommandStatus.WaitingInBacklog),
            RedisFailureKind.NotApplied },
        { new RedisConnectionException(ConnectionFailureType.SocketClosed, "sent", null, CommandStatus.Sent), RedisFailureKind.Unknown },
        { new RedisConnectionException(ConnectionFailureType.UnableToConnect, "none"), RedisFailureKind.NotApplied },
        { new RedisTimeoutException("queued", CommandStatus.WaitingInBacklog), RedisFailureKind.NotApplied },
        { new RedisTimeoutException("sent", CommandStatus.Sent), RedisFailureKind.Unknown },
        { new RedisServerException("READONLY You can't write against a read only replica."), RedisFailureKind.NotApplied },
        { new RedisServerException("LOADING Redis is loading the dataset in memory"), RedisFailureKind.NotApplied },
        { new RedisServerException("WRONGTYPE Operation against a key holding the wrong kind of value"), RedisFailureKind.Final },
        { new RedisServerException("OOM command not allowed"), RedisFailureKind.Final },
        { new RedisOutcomeUnknownException(new RedisException("x")), RedisFailureKind.Unknown },
        { new RedisUnavailableException(new RedisException("x")), RedisFailureKind.NotApplied },
        { new OperationCanceledException("aborted by the transport"), RedisFailureKind.Unknown },
        { new OperationCanceledException("asked for", new CancellationToken(canceled: true)), RedisFailureKind.Final },
        { new IOException("reset"), RedisFailureKind.Unknown },
        { new InvalidOperationException("x"), RedisFailureKind.Final },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public void A_failure_tells_whether_the_command_was_applied(Exception exception, RedisFailureKind expected)
        => Assert.Equal(expected, RedisFailure.Of(exception));

    [Fact]
    public async Task A_socket_that_ended_before_a_command_was_written_leaves_those_before_it_in_doubt()
    {
        var pipe = new Pipe();
        await pipe.Writer.CompleteAsync();
        var thrown = Assert.Throws<InvalidOperationException>(() => { pipe.Writer.GetSpan(); });
        Assert.Equal(RedisFailureKind.Unknown, RedisFailure.Of(thrown));
        Assert.True(thrown.IsOfRedis());
    }

    [Fact]
    public async Task What_a_demoted_server_refuses_is_tried_again_until_it_is_a_primary()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await client.Database.PingAsync();
        // A replica of nobody that lives.
        await client.Database.ExecuteAsync("REPLICAOF", "127.0.0.1", "1");

        var write = client.Deployment.EvaluateAsync(s_count, ["demoted"], []);
        await Eventually.TrueAsync(
            async () => ((string)(await client.Database.ExecuteAsync("INFO", "errorstats"))!)
            .Contains("errorstat_READONLY", StringComparison.Ordinal), "it was refused");
        Assert.False(write.IsCompleted);
        await client.Database.ExecuteAsync("REPLICAOF", "NO", "ONE");

        Assert.Equal(1, (int)await write.WaitAsync(Eventually.DefaultBound));
    }

    [Fact]
    public async Task A_server_that_stays_away_is_reported_as_such_and_nothing_was_applied()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString, configure: o => o.AsyncTimeout = 500);
        await client.Database.PingAsync();
        own.Server.Kill();
        await Eventually.TrueAsync(() => !client.Connection.IsConnected, "the loss is noticed");

        var thrown = await Assert.ThrowsAsync<RedisUnavailableException>(() => client.Producer.AppendAsync(Numbered.Topic("away"),
            new Numbered(1)));

        Assert.Equal(RedisFailureKind.NotApplied, RedisFailure.Of(thrown));
        await own.Server.StartAsync();
        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("away"), "it is back without the event");
    }

    [Fact]
    public async Task An_answer_that_is_lost_is_in_doubt_unless_the_script_is_repeatable()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var server = redis.Redis[redis.Redis.Topology.Primary];
        foreach (var repeatable in new[] { false, true })
        {
            var script = RedisScript.Load<FailoverTests>("count", repeatable);
            var key = $"doubt:{repeatable}";
            await client.Deployment.EvaluateAsync(script, ["doubt:loaded"], []);
            var id = (long)await client.Database.ExecuteAsync("CLIENT", "ID");
            // Held up at the server, and cut off there.
            await other.Database.ExecuteAsync("CLIENT", "PAUSE", 60_000, "WRITE");
            var write = client.Deployment.EvaluateAsync(script, [key], []);
            await Eventually.TrueAsync(
                async () => ((string)(await other.Database.ExecuteAsync("CLIENT", "LIST", "ID", id))!)
                .Contains("cmd=evalsha", StringComparison.Ordinal), "it is at the server");
            await other.Database.ExecuteAsync("CLIENT", "KILL", "ID", id);
            if (!repeatable)
            {
                await Assert.ThrowsAsync<RedisOutcomeUnknownException>(() => write);
            }
            await other.Database.ExecuteAsync("CLIENT", "UNPAUSE");
            if (repeatable)
            {
                Assert.Equal(1, (int)await write.WaitAsync(Eventually.DefaultBound));
            }
        }
        Assert.True(server.IsRunning);
    }
}
