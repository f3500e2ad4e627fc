using System.Text.RegularExpressions;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using AspireRedis.Coordination.Tests.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

/// <summary>A primary and a replica that is frozen at times.</summary>
public sealed partial class DurableWriterTests(DurableWriterTests.Pair redis) : IClassFixture<DurableWriterTests.Pair>, IAsyncLifetime
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly RedisScript s_broken = RedisScript.Load<DurableWriterTests>("broken");
    private static readonly DurableWriterOptions s_patient = new() { AcknowledgeTimeout = TimeSpan.FromSeconds(60) };
    private static readonly DurableWriterOptions s_hasty = new() { AcknowledgeTimeout = TimeSpan.FromMilliseconds(300) };

    public sealed class Pair() : LocalRedisFixture(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });

    private RedisProcess Replica => redis.Redis[redis.Redis.Topology.Replicas[0]];

    public async Task InitializeAsync()
    {
        Replica.Thaw();
        await redis.Redis.WaitUntilCompleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData(Durability.Memory)]
    [InlineData(Durability.Replica)]
    public async Task A_write_returns_the_result_of_its_script(Durability durability)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        RedisKey key = $"result:{durability}";
        Assert.Equal(1, (int)await writer.EvaluateAsync(s_count, [key], [], durability, default));
        Assert.Equal(2, (int)await writer.EvaluateAsync(s_count, [key], [], durability, default));
    }

    [Fact]
    public async Task A_write_acknowledged_at_level_Replica_is_on_the_replica()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var replica = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(redis.Redis.Topology.Replicas[0]));
        await using var writer = client.CreateWriter(s_patient);
        for (var i = 1; i <= 200; i++)
        {
            await writer.EvaluateAsync(s_count, ["replicated"], [], Durability.Replica, default);
            Assert.Equal(i, (int)await replica.Database.StringGetAsync("replicated", CommandFlags.DemandReplica));
        }
    }

    [Fact]
    public async Task Level_Memory_does_not_wait_for_a_replica()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        Replica.Freeze();
        Assert.Equal(1, (int)await writer.EvaluateAsync(s_count, ["memory"], [], Durability.Memory, default)
            .WaitAsync(s_patient.AcknowledgeTimeout / 2));
    }

    [Fact]
    public async Task With_a_frozen_replica_it_is_not_durable_but_applied()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        Replica.Freeze();

        var thrown = await Assert.ThrowsAsync<NotDurableException>(() => writer.EvaluateAsync(s_count, ["frozen"], [], Durability.Replica,
            default));

        Assert.Equal((1, 0), (thrown.Required, thrown.Acknowledged));
        Assert.Equal(1, (int)thrown.Result);
        Assert.Contains("0 of 1 replicas", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(1, (int)await client.Database.StringGetAsync("frozen"));

        Replica.Thaw();
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["frozen"], [], Durability.Replica, default),
            "it is durable again");
    }

    [Fact]
    public async Task A_script_that_the_server_has_forgotten_is_not_acknowledged_by_the_writes_before_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["forgotten"], [], Durability.Replica, default), "it is durable");
        var before = (int)await client.Database.StringGetAsync("forgotten");
        // From here on a WAIT that no write precedes is answered at once, frozen replica or not.
        await Eventually.TrueAsync(
            async () => ReplicationOffsets().IsMatch((string)(await client.Database.ExecuteAsync("INFO", "replication"))!),
            "the replica has acknowledged everything");
        Replica.Freeze();
        await client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        await Assert.ThrowsAsync<NotDurableException>(() => writer.EvaluateAsync(s_count, ["forgotten"], [], Durability.Replica, default));

        Assert.Equal(before + 1, (int)await client.Database.StringGetAsync("forgotten"));
        Replica.Thaw();
        await client.Database.ExecuteAsync("SCRIPT", "FLUSH");
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["forgotten"], [], Durability.Replica, default),
            "it is durable again");
    }

    [Fact]
    public async Task With_more_replicas_asked_for_than_there_are_it_is_not_durable()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { Replicas = 2, AcknowledgeTimeout = TimeSpan.FromMilliseconds(300) });
        var thrown = await Assert.ThrowsAsync<NotDurableException>(() => writer.EvaluateAsync(s_count, ["too-few"], [], Durability.Replica,
            default));
        Assert.Equal((2, 1), (thrown.Required, thrown.Acknowledged));
    }

    [Fact]
    public async Task Without_any_replica_it_is_not_durable()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        var thrown = await Assert.ThrowsAsync<NotDurableException>(() => writer.EvaluateAsync(s_count, ["absent"], [], Durability.Replica,
            default));
        Assert.Equal(0, thrown.Acknowledged);
        Assert.Equal(1, (int)await client.Database.StringGetAsync("absent"));
    }

    [Fact]
    public async Task Concurrent_writes_share_their_WAITs()
    {
        const int Writes = 1000;
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");

        var results = await Task.WhenAll(Enumerable.Range(0, Writes)
            .Select(_ => writer.EvaluateAsync(s_count, ["grouped"], [], Durability.Replica, default)));

        Assert.Equal(Enumerable.Range(1, Writes), results.Select(r => (int)r).Order());
        Assert.InRange(await client.CallsAsync("wait"), 1, Writes / 10);
    }

    [Fact]
    public async Task A_script_error_fails_its_own_write_only()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        var writes = Enumerable.Range(0, 100)
            .Select(i => writer.EvaluateAsync(i % 10 == 5 ? s_broken : s_count, [i % 10 == 5 ? $"broken:{i}" : "unbroken"], [],
            Durability.Replica, default))
            .ToArray();

        foreach (var (i, write) in writes.Index())
        {
            var thrown = await Record.ExceptionAsync(() => write);
            if (i % 10 == 5)
            {
                Assert.Contains("WRONGTYPE", Assert.IsType<RedisServerException>(thrown).Message, StringComparison.Ordinal);
            }
            else
            {
                Assert.Null(thrown);
            }
        }
        Assert.Equal(90, (int)await client.Database.StringGetAsync("unbroken"));
    }

    [Fact]
    public async Task A_script_error_is_told_at_once_though_the_replica_is_frozen()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["told"], [], Durability.Replica, default), "it is durable");
        await client.Database.ExecuteAsync("SCRIPT", "LOAD", s_broken.Text);
        Replica.Freeze();
        var failing = writer.EvaluateAsync(s_broken, ["told"], [], Durability.Replica, default);

        await Assert.ThrowsAsync<RedisServerException>(() => failing.WaitAsync(s_patient.AcknowledgeTimeout / 2));

        Replica.Thaw();
        await writer.EvaluateAsync(s_count, ["told:after"], [], Durability.Replica, default);
    }

    [Fact]
    public async Task What_is_refused_for_want_of_replicas_is_tried_again_and_then_named()
    {
        await using var own = await OwnServers.StartAsync(new()
        {
            Replicas = 1, Sentinels = 0, ServerSettings = ["min-replicas-to-write 1", "min-replicas-max-lag 1"],
        });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        // WAIT would hold up each attempt for longer than the test.
        await using var impatient = client.CreateWriter(
            new() { AcknowledgeTimeout = s_patient.AcknowledgeTimeout, RetryFor = TimeSpan.FromMilliseconds(300) });
        await using var patient = client.CreateWriter(
            new() { AcknowledgeTimeout = s_patient.AcknowledgeTimeout, RetryFor = s_patient.AcknowledgeTimeout });
        await patient.EvaluateAsync(s_count, ["refused"], [], Durability.Replica, default);
        var replica = own.Redis[own.Redis.Topology.Replicas[0]];
        replica.Freeze();
        await Eventually.TrueAsync(
            async () => (await Record.ExceptionAsync(() => client.Database.StringSetAsync("probe", 1)))?.Message.StartsWith("NOREPLICAS",
                StringComparison.Ordinal) == true, "writes are refused");

        var thrown = await Assert.ThrowsAsync<RedisUnavailableException>(
            () => impatient.EvaluateAsync(s_count, ["refused"], [], Durability.Replica, default).WaitAsync(s_patient.AcknowledgeTimeout / 2));
        Assert.Contains("NOREPLICAS", thrown.Message, StringComparison.Ordinal);
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        var write = patient.EvaluateAsync(s_count, ["refused"], [], Durability.Replica, default);
        await Eventually.TrueAsync(async () => await client.CallsAsync("evalsha") > 10, "it is tried again");
        // The first attempt leaves its connection to WAIT; those after it share one.
        var info = (string)(await client.Database.ExecuteAsync("INFO", "stats"))!;
        Assert.InRange(int.Parse(Connections().Match(info).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), 0, 3);
        replica.Thaw();

        Assert.Equal(2, (int)await write.WaitAsync(s_patient.AcknowledgeTimeout / 2));
    }

    [Fact]
    public async Task A_write_that_is_cancelled_before_it_is_sent_is_not_made()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        await writer.EvaluateAsync(s_count, ["before"], [], Durability.Replica, default);
        Replica.Freeze();
        // It is sent, and waits for the replica; the next one waits behind it.
        var sent = writer.EvaluateAsync(s_count, ["before"], [], Durability.Replica, default);
        await Eventually.TrueAsync(async () => (int)await client.Database.StringGetAsync("before") == 2, "the first write is applied");
        using var cancellation = new CancellationTokenSource();
        var queued = writer.EvaluateAsync(s_count, ["cancelled"], [], Durability.Replica, cancellation.Token);
        var behind = writer.EvaluateAsync(s_count, ["behind"], [], Durability.Replica, default);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => queued);

        Replica.Thaw();
        await sent;
        await behind;
        Assert.False(await client.Database.KeyExistsAsync("cancelled"));
    }

    [Fact]
    public async Task A_caller_that_is_cancelled_while_the_replica_is_awaited_does_not_wait()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_patient);
        Replica.Freeze();
        using var cancellation = new CancellationTokenSource();
        var sent = writer.EvaluateAsync(s_count, ["impatient"], [], Durability.Replica, cancellation.Token);
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("impatient"), "the write is applied");

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent.WaitAsync(s_patient.AcknowledgeTimeout / 2));
        Replica.Thaw();
    }

    [Fact]
    public async Task Dispose_fails_what_is_queued_and_what_comes_later()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(5), MaxBatch = 1 });
        Replica.Freeze();
        var sent = writer.EvaluateAsync(s_count, ["disposed"], [], Durability.Replica, default);
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("disposed"), "the first write is applied");
        // Sixteen have a place in the queue, the others wait for one; and where so many wait, one goes on the second connection.
        var queued = Enumerable.Range(0, 20).Select(_ => writer.EvaluateAsync(s_count, ["queued"], [], Durability.Replica, default))
            .ToArray();

        await writer.DisposeAsync();
        await writer.DisposeAsync();

        await Assert.ThrowsAsync<NotDurableException>(() => sent);
        var sentToo = 0;
        foreach (var write in queued)
        {
            var thrown = await Assert.ThrowsAnyAsync<Exception>(() => write);
            sentToo += thrown is NotDurableException ? 1 : 0;
            Assert.True(thrown is NotDurableException or ObjectDisposedException, thrown.ToString());
        }
        Assert.InRange(sentToo, 0, 1);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => writer.EvaluateAsync(s_count, ["queued"], [], Durability.Replica, default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => writer.EvaluateAsync(s_count, ["queued"], [], Durability.Memory, default));
        Assert.Equal(sentToo, (int)await client.Database.StringGetAsync("queued"));
    }

    [Fact]
    public async Task A_writer_that_was_never_used_can_be_disposed()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.CreateWriter(new()).DisposeAsync();
    }

    [Fact]
    public async Task A_primary_that_is_killed_fails_the_write_and_the_writer_goes_on_when_it_is_back()
    {
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["killed"], [], Durability.Replica, default), "it is durable");
        own.Server.Kill();

        var thrown = await Record.ExceptionAsync(() => writer.EvaluateAsync(s_count, ["killed"], [], Durability.Replica, default));
        Assert.True(thrown is RedisUnavailableException or RedisOutcomeUnknownException, $"{thrown}");

        await own.Server.StartAsync();
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["killed"], [], Durability.Replica, default),
            "it is durable again");
    }

    [Fact]
    public async Task Bad_options_are_refused_with_their_name()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        Refuses("Replicas", new() { Replicas = 0 });
        // WAIT with a timeout of zero would wait for ever.
        Refuses("AcknowledgeTimeout", new() { AcknowledgeTimeout = TimeSpan.Zero });
        Refuses("AcknowledgeTimeout", new() { AcknowledgeTimeout = TimeSpan.FromMicroseconds(999) });
        Refuses("MaxBatch", new() { MaxBatch = 0 });

        void Refuses(string name, DurableWriterOptions options)
            => Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => client.CreateWriter(options)).ParamName);
    }

    [GeneratedRegex("total_connections_received:([0-9]+)")]
    private static partial Regex Connections();

    [GeneratedRegex("offset=([0-9]+),.*master_repl_offset:\\1\\s", RegexOptions.Singleline)]
    private static partial Regex ReplicationOffsets();
}
