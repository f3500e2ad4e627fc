using System.Diagnostics;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

/// <summary>
/// Which replicas a write waits for while they come, go and are promoted, although the primary is not asked with each write who
/// follows it. See docs/decisions/0017.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class WhoMustAcknowledgeTests(SentinelFixture redis) : IClassFixture<SentinelFixture>, IAsyncLifetime
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly RedisScript s_add = RedisScript.Load<RestartTests>("add", repeatable: true);
    private static readonly DurableWriterOptions s_hasty = new() { AcknowledgeTimeout = TimeSpan.FromMilliseconds(500) };
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    public async Task InitializeAsync()
    {
        foreach (var process in redis.Redis.Processes.Values)
        {
            process.Thaw();
            await process.StartAsync();
        }
        await redis.Redis.WaitUntilCompleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task While_nothing_changes_the_primary_is_asked_ten_times_a_second_at_most()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        await BothMustAcknowledgeAsync(client, writer);
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        var start = Stopwatch.GetTimestamp();

        for (var i = 0; i < 1000; i++)
        {
            await writer.EvaluateAsync(s_count, ["asked"], [], Durability.Replica, default);
        }

        // Two more: one at the beginning, and one for what a Sentinel says anew.
        Assert.InRange(await client.CallsAsync("role"), 0, (int)(Stopwatch.GetElapsedTime(start).TotalSeconds * 10) + 2);
        Assert.InRange(await client.CallsAsync("wait"), 1000, 1100);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_replica_that_is_lost_is_waited_for_until_the_Sentinels_hold_it_for_down_and_again_when_it_is_back(bool isFrozen)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await BothMustAcknowledgeAsync(client, writer);
        var lost = await AReplicaAsync();
        Lose();
        await OneOfTwoAsync(writer);
        await Eventually.HoldsAsync(() => CountAsync(writer), "the other one suffices", s_bound);

        lost.Thaw();
        await lost.StartAsync();
        await redis.Redis.WaitUntilCompleteAsync();
        await BothMustAcknowledgeAsync(client, writer);
        Lose();
        await OneOfTwoAsync(writer);

        void Lose()
        {
            if (isFrozen)
            {
                lost.Freeze();
            }
            else
            {
                lost.Kill();
            }
        }
    }

    [Fact]
    public async Task A_replica_that_follows_again_is_waited_for_before_the_Sentinels_know()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await BothMustAcknowledgeAsync(client, writer);
        var replica = await AReplicaAsync();
        await using var admin = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(replica.Node));
        var password = await CutOffAsync(admin);
        await Eventually.TrueAsync(() => Promotable(client) == 1, "the Sentinels have found it without a link", s_bound);
        Sentinels(s => s.Freeze());
        await Eventually.HoldsAsync(() => CountAsync(writer), "the other one suffices", s_bound);

        await admin.Database.ExecuteAsync("CONFIG", "SET", "masterauth", password);
        await Eventually.TrueAsync(async () => (await ReplicationState.ReadAsync(client.Shard, default)).Replicas == 2, "it follows again");
        await Eventually.HoldsAsync(() => CountAsync(writer), "both acknowledge", s_bound);
        replica.Freeze();

        await OneOfTwoAsync(writer);
        Assert.Equal(1, Promotable(client));
    }

    [Fact]
    public async Task What_is_acknowledged_is_on_a_replica_that_was_promoted_although_its_primary_lives()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await BothMustAcknowledgeAsync(client, writer);
        var promoted = await AReplicaAsync();
        await using var admin = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(promoted.Node));
        // By a Sentinel that this client does not hear. The others make a replica of it again, some seconds later.
        await admin.Database.ExecuteAsync("REPLICAOF", "NO", "ONE");
        var refused = 0;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    var count = await CountAsync(writer);
                    Assert.Equal(count, (int)await admin.Database.StringGetAsync("acknowledged"));
                    return true;
                }
                catch (NotDurableException e)
                {
                    Assert.Equal((2, 1), (e.Required, e.Acknowledged));
                    refused++;
                    return false;
                }
            },
            "both have it again", s_bound);
        Assert.NotEqual(0, refused);
    }

    [Fact]
    public async Task A_connection_that_is_opened_after_a_replica_was_promoted_waits_for_it_too()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(s_hasty);
        await BothMustAcknowledgeAsync(client, writer);
        var promoted = await AReplicaAsync();
        await using var admin = await TestClient.ConnectAsync(redis.Redis.Topology.ConnectionStringOf(promoted.Node));
        // First without a link, which the Sentinels look after each second.
        var password = await CutOffAsync(admin);
        await Eventually.TrueAsync(() => Promotable(client) == 1, "the Sentinels have found it without a link", s_bound);
        await admin.Database.ExecuteAsync("REPLICAOF", "NO", "ONE");
        await admin.Database.ExecuteAsync("CONFIG", "SET", "masterauth", password);
        await Eventually.TrueAsync(
            () => Promotable(client, promoted.Node.Address.ToString()) == 2, "a Sentinel has found it to be a primary", s_bound);
        // They would make it a replica again.
        Sentinels(s => s.Freeze());

        // One goes at once; the others are enough for a second connection while it waits.
        var writes = Enumerable.Range(0, 50).Select(_ => CountAsync(writer)).ToArray();

        foreach (var write in writes)
        {
            var thrown = await Assert.ThrowsAsync<NotDurableException>(() => write);
            Assert.Equal((2, 1), (thrown.Required, thrown.Acknowledged));
        }
        Assert.Equal("master", (string?)(await admin.Database.ExecuteAsync("ROLE"))[0]);
        var clients = (string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!;
        Assert.Equal(3, clients.Split(":durable-writer").Length);
    }

    [Fact]
    public async Task Failovers_lose_nothing_that_was_acknowledged_to_many_writers()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var acknowledged = new System.Collections.Concurrent.ConcurrentQueue<int>();
        var next = 0;
        using var stopping = new CancellationTokenSource();
        var writing = Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(async () =>
        {
            while (!stopping.IsCancellationRequested)
            {
                var number = Interlocked.Increment(ref next);
                try
                {
                    await writer.EvaluateAsync(s_add, ["many"], [number], Durability.Replica, default);
                    acknowledged.Enqueue(number);
                }
                catch (Exception e) when (e is NotDurableException or RedisUnavailableException or RedisOutcomeUnknownException)
                {
                    // Not acknowledged.
                }
            }
        })));
        for (var i = 0; i < 3; i++)
        {
            await WritesGoOnAsync();
            var before = await redis.Redis.CurrentPrimaryAsync();
            var sentinel = redis.Redis.Topology.Sentinels[i];
            await using var connection = await ConnectionMultiplexer.ConnectAsync(
                redis.Redis.Topology.ConnectionStringOf(sentinel), o => o.CommandMap = CommandMap.Sentinel);
            // Again when it comes to nothing, as on a busy machine: a Sentinel does not repeat it by itself.
            await Eventually.TrueAsync(
                async () =>
                {
                    await connection.GetServer(sentinel.Host, sentinel.Port).SentinelFailoverAsync(
                        redis.Redis.Topology.Options.ServiceName).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    return await redis.Redis.CurrentPrimaryAsync() != before;
                },
                "another one is the primary", s_bound);
            await redis.Redis.WaitForPrimaryOtherThanAsync(before);
            await redis.Redis.WaitUntilCompleteAsync();
        }
        await WritesGoOnAsync();
        await stopping.CancelAsync();
        await writing;

        var present = (await client.Database.SetMembersAsync("many")).Select(v => (int)v).ToHashSet();
        Assert.DoesNotContain(acknowledged, i => !present.Contains(i));

        Task WritesGoOnAsync()
        {
            var before = acknowledged.Count;
            return Eventually.TrueAsync(() => acknowledged.Count > before + 1000, "writes are acknowledged", s_bound);
        }
    }

    private static async Task<int> CountAsync(DurableWriter writer)
        => (int)await writer.EvaluateAsync(s_count, ["acknowledged"], [], Durability.Replica, default);

    /// <summary>How many could be promoted, where these were seen to follow long ago.</summary>
    private static int Promotable(TestClient client, params string[] seen)
        => client.Shard.Follower!.PromotableReplicasOf(client.Shard.Primary, seen.ToDictionary(n => n, _ => 0L)).Count;

    /// <summary>
    /// Now it does not reach its primary, and the Sentinels see no reason to tell it whom to follow. Returns what lets it again.
    /// </summary>
    private static async Task<string> CutOffAsync(TestClient replica)
    {
        var password = (string?)(await replica.Database.ExecuteAsync("CONFIG", "GET", "masterauth"))[1];
        await replica.Database.ExecuteAsync("CONFIG", "SET", "masterauth", "wrong");
        await replica.Database.ExecuteAsync("CLIENT", "KILL", "TYPE", "master");
        return password ?? "";
    }

    private static async Task OneOfTwoAsync(DurableWriter writer)
    {
        var thrown = await Assert.ThrowsAsync<NotDurableException>(() => CountAsync(writer));
        Assert.Equal((2, 1), (thrown.Required, thrown.Acknowledged));
    }

    private static Task BothMustAcknowledgeAsync(TestClient client, DurableWriter writer) => Eventually.HoldsAsync(
        async () =>
        {
            await CountAsync(writer);
            Assert.Equal(2, Promotable(client));
        },
        "both replicas count", s_bound);

    private async Task<RedisProcess> AReplicaAsync()
    {
        var primary = await redis.Redis.CurrentPrimaryAsync();
        return redis.Redis[redis.Redis.Topology.Servers.First(n => n != primary)];
    }

    private void Sentinels(Action<RedisProcess> action)
    {
        foreach (var sentinel in redis.Redis.Topology.Sentinels)
        {
            action(redis.Redis[sentinel]);
        }
    }
}
