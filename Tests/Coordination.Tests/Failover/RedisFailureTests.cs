using System.IO.Pipelines;
using System.Text.RegularExpressions;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Failover;

public sealed partial class RedisFailureTests(RedisFixture redis) : IClassFixture<RedisFixture>
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
        { new RedisServerException("NOREPLICAS Not enough good replicas to write. script: 40, on @user_script:1."),
            RedisFailureKind.NotApplied },
        { new RedisServerException("BUSY Redis is busy running a script."), RedisFailureKind.NotApplied },
        { new RedisServerException("BUSYGROUP Consumer Group name already exists"), RedisFailureKind.Final },
        { new RedisServerException("BUSYKEY Target key name already exists."), RedisFailureKind.Final },
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
    public async Task What_a_server_refuses_while_it_is_at_a_slow_script_is_tried_again()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var other = await TestClient.ConnectAsync(own.ConnectionString);
        await client.Database.ExecuteAsync("CONFIG", "SET", "busy-reply-threshold", 1);
        var slow = other.Database.ExecuteAsync("EVAL", "while true do end", 0);
        await Eventually.TrueAsync(
            async () => (await Record.ExceptionAsync(() => client.Database.PingAsync()))?.Message.StartsWith("BUSY ",
                StringComparison.Ordinal) == true, "it is busy");

        var append = client.Producer.AppendAsync(Numbered.Topic("busy"), new Numbered(1));
        var script = client.Deployment.EvaluateAsync(s_count, ["busy:count"], []);
        Assert.NotSame(append, await Task.WhenAny(append, Task.Delay(200)));
        Assert.False(script.IsCompleted);
        await client.Database.ExecuteAsync("SCRIPT", "KILL");

        await append.WaitAsync(Eventually.DefaultBound);
        Assert.Equal(1, (int)await script.WaitAsync(Eventually.DefaultBound));
        Assert.Equal(1, await client.Database.StreamLengthAsync("busy"));
        await Assert.ThrowsAsync<RedisServerException>(() => slow);
    }

    [Fact]
    public async Task What_is_refused_for_want_of_replicas_is_tried_again_and_made_once()
    {
        await using var own = await OwnServers.StartAsync(
            new() { Replicas = 1, Sentinels = 0, ServerSettings = ["min-replicas-to-write 1", "min-replicas-max-lag 1"] });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        var replica = own.Redis[own.Redis.Topology.Replicas[0]];
        replica.Freeze();
        await Eventually.TrueAsync(
            async () => (await Record.ExceptionAsync(() => client.Database.StringSetAsync("probe", 1)))?.Message.StartsWith("NOREPLICAS",
                StringComparison.Ordinal) == true, "writes are refused");

        var append = client.AppendNumbersAsync("few", 0, 20);
        var lease = client.Leases.TryAcquireAsync("few:lease");
        await Eventually.TrueAsync(
            async () => ((string)(await client.Database.ExecuteAsync("INFO", "commandstats"))!)
                .Split('\n').Any(l => Refused().Match(l) is { Success: true } m && m.Groups[1].Value.Length > 2), "they are tried again");
        Assert.Equal(0, await client.Database.StreamLengthAsync("few"));
        replica.Thaw();

        await append.WaitAsync(Eventually.DefaultBound);
        Assert.NotNull(await lease.WaitAsync(Eventually.DefaultBound));
        Assert.Equal(20, await client.Database.StreamLengthAsync("few"));
    }

    [Fact]
    public async Task A_failover_under_min_replicas_to_write_fails_no_append()
    {
        await using var own = await OwnServers.StartAsync(new() { ServerSettings = ["min-replicas-to-write 1"] });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new() { RetryFor = Eventually.DefaultBound });
        var topic = Numbered.Topic("few");
        await client.Producer.AppendAsync(topic, new Numbered(0));
        var before = await own.Redis.CurrentPrimaryAsync();
        using var enough = new CancellationTokenSource();
        var failures = new List<Exception>();
        var appended = 0;
        var appending = Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                try
                {
                    await client.Producer.AppendAsync(topic, new Numbered(1));
                    Interlocked.Increment(ref appended);
                }
                catch (Exception e)
                {
                    lock (failures)
                    {
                        failures.Add(e);
                    }
                }
                await Task.Delay(10);
            }
        }));
        await using var sentinel = await ConnectionMultiplexer.ConnectAsync(
            own.Redis.Topology.ConnectionStringOf(own.Redis.Topology.Sentinels[0]), o => o.CommandMap = CommandMap.Sentinel);
        await sentinel.GetServers()[0].SentinelFailoverAsync(own.Redis.Topology.Options.ServiceName);
        var after = await own.Redis.WaitForPrimaryOtherThanAsync(before);
        await using var promoted = await TestClient.ConnectAsync(own.Redis.Topology.ConnectionStringOf(after));
        await Eventually.TrueAsync(
            async () => ((string)(await promoted.Database.ExecuteAsync("INFO", "errorstats"))!)
                .Contains("errorstat_NOREPLICAS", StringComparison.Ordinal), "the new primary has refused some for want of replicas");
        await own.Redis.WaitUntilCompleteAsync();
        var so = Volatile.Read(ref appended);
        await Eventually.TrueAsync(() => Volatile.Read(ref appended) > so + 50, "appends go on");
        await enough.CancelAsync();
        await appending;

        Assert.True(failures.Count == 0, string.Join("\n", failures.Select(f => f.ToString()).Distinct()));
        await writer.EvaluateAsync(s_count, ["few:count"], [], Durability.Replica, default);
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

    [GeneratedRegex("cmdstat_xadd:.*,rejected_calls=([0-9]+)")]
    private static partial Regex Refused();
}
