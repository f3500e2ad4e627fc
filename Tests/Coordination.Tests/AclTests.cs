using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

/// <summary>Each part with the user that docs/security.md gives it, and what is said when something is missing.</summary>
public sealed class AclTests
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly RedisScript s_countOnce = RedisScript.Load<InboxTests>("count-once");
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromSeconds(60), WaitTimeout = TimeSpan.FromSeconds(30) };

    // Tried by the client when it connects, and done without.
    private static readonly HashSet<string> s_dispensable =
    [
        "config|get", "info", "cluster|nodes", "cluster", "client|setinfo", "sentinel|masters", "get", "subscribe",
        "__Booksleeve_TieBreak", "__Booksleeve_MasterChanged",
    ];

    [Fact]
    public async Task Exclusive_leases()
    {
        await using var own = await StartAsync("leases");
        await using var first = await ConnectAsync(own, "leases");
        await using var second = await ConnectAsync(own, "leases");
        await UseAsync(first.Leases, second.Leases, "job:1");
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task A_look_at_leases()
    {
        await using var own = await StartAsync("inspector");
        await using var admin = await TestClient.ConnectAsync(own.ConnectionString);
        await using var held = await admin.Leases.AcquireAsync("job:1", s_long);
        await using var client = await ConnectAsync(own, "inspector");
        Assert.Equal(held.FencingToken, (await new LeaseInspector(client.Deployment).DescribeAsync("job:1")).FencingToken);
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task Shared_leases_and_semaphores()
    {
        await using var own = await StartAsync("permits");
        await using var first = await ConnectAsync(own, "permits");
        await using var second = await ConnectAsync(own, "permits");
        await UseAsync(first.SharedLeases.Exclusive, second.SharedLeases.Exclusive, "job:1");
        await UseAsync(first.SharedLeases.Exclusive, second.SharedLeases.Shared, "job:2");
        await UseAsync(first.Semaphores.WithPermits(1), second.Semaphores.WithPermits(1), "job:3");
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task Rate_limits()
    {
        await using var own = await StartAsync("limits");
        await using var first = await ConnectAsync(own, "limits");
        await using var second = await ConnectAsync(own, "limits");
        foreach (var limit in new RedisRateLimit[]
        {
            new TokenBucketLimit { Policy = "bucket", TokenLimit = 2, TokensPerPeriod = 10, QueueLimit = 2 },
            new FixedWindowLimit { Policy = "fixed", PermitLimit = 2, Window = TimeSpan.FromMilliseconds(200), QueueLimit = 2 },
            new SlidingWindowLimit { Policy = "sliding", PermitLimit = 2, Window = TimeSpan.FromMilliseconds(200), QueueLimit = 2 },
            new ConcurrencyLimit { Policy = "concurrency", PermitLimit = 2, QueueLimit = 2 },
        })
        {
            await using var one = first.Limiters.Create(limit with { DecisionTimeout = TimeSpan.FromSeconds(5) }, "x");
            await using var other = second.Limiters.Create(limit with { DecisionTimeout = TimeSpan.FromSeconds(5) }, "x");
            var taken = await one.AcquireAsync(2);
            Assert.True(taken.IsAcquired);
            var waiting = other.AcquireAsync().AsTask();
            await Eventually.TrueAsync(() => waiting.IsCompleted || other.GetStatistics()!.CurrentQueuedCount == 1, "it waits");
            taken.Dispose();
            using var lease = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
            Assert.True(lease.IsAcquired);
            Assert.True(lease.TryGetMetadata(RateLimitMetadata.Status, out var status));
            Assert.Equal(RateLimitSource.Redis, status!.Source);
        }
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task Redlock_leases()
    {
        await using var own = await OwnServers.StartAsync(RedlockNodes.Of(3));
        foreach (var node in own.Redis.Topology.LockNodeConnectionStrings)
        {
            await SetUserAsync(node, "redlock");
        }
        void AsUser(AspireRedis.Coordination.Locking.Redlock.RedlockOptions options)
        {
            var nodes = options.Nodes.ToList();
            options.Nodes.Clear();
            nodes.ForEach(n => options.Nodes.Add($"{n},user=redlock,password=secret"));
        }
        await using var first = await RedlockClient.ConnectAsync(own.Redis, AsUser);
        await using var second = await RedlockClient.ConnectAsync(own.Redis, AsUser);
        await UseAsync(first.Leases, second.Leases, "job:1");
        foreach (var node in own.Redis.Topology.LockNodeConnectionStrings)
        {
            await NothingWasRefusedAsync(node);
        }
    }

    [Fact]
    public async Task A_producer_and_a_consumer_with_its_inbox_and_dead_letters()
    {
        await using var own = await StartAsync("producer", "consumer", "operator");
        await using var producer = await ConnectAsync(own, "producer");
        await using var consumer = await ConnectAsync(own, "consumer");
        await using var operating = await ConnectAsync(own, "operator");
        await using var writer = consumer.CreateWriter(new());
        var topic = Numbered.Topic("orders");
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        var failed = 0;
        await using (var group = new RunningGroup<Numbered>(consumer, topic,
            new()
            {
                Group = "g", MinIdle = TimeSpan.FromMilliseconds(200), RetryDelay = TimeSpan.FromMilliseconds(50), MaxDeliveries = 2,
                ForgetConsumersAfter = TimeSpan.FromMilliseconds(200),
            },
            async (message, cancellationToken) =>
            {
                if (message.Value.Number == 3)
                {
                    Interlocked.Increment(ref failed);
                    throw new InvalidOperationException("a bad one");
                }
                if (message.Value.Number == 2)
                {
                    await inbox.CommitAsync(message, s_countOnce, ["orders:count"], [1], [], cancellationToken: cancellationToken);
                    return HandlerResult.Acknowledged;
                }
                return HandlerResult.Handled;
            }))
        {
            await producer.Producer.AppendAsync(topic, new Numbered(1), "an-id");
            await producer.Producer.AppendAsync(topic, [new Numbered(2), new Numbered(3)]);
            var letters = new DeadLetters(operating.Deployment);
            await Eventually.TrueAsync(async () => (await letters.ListAsync("orders")).Items.Count == 1, "one is dead");
            Assert.NotNull(await letters.RequeueAsync("orders", (await letters.ListAsync("orders")).Items[0].Id));
            await Eventually.TrueAsync(() => Volatile.Read(ref failed) >= 3, "it is delivered again");
            var groups = new StreamGroups(operating.Deployment);
            Assert.True(await groups.CreateAsync("orders", "replay", StartPosition.Beginning));
            Assert.NotNull(await groups.DescribeAsync("orders", "replay"));
            Assert.True(await groups.DeleteAsync("orders", "replay"));
            await new StreamTrimmer(operating.Deployment).TrimAsync("orders", TimeSpan.FromDays(1));
            // Two rounds of what is done every third of MinIdle.
            await Task.WhenAny(group.Completion, Task.Delay(400));
        }
        await using (var queue = new RunningGroup<Numbered>(consumer, topic, new() { Group = "q", DeleteHandled = true }))
        {
            await Eventually.TrueAsync(() => queue.Received.Count >= 3, "the queue is drained");
        }
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task Consumers_that_divide_partitions()
    {
        await using var own = await StartAsync("producer", "partition-consumer");
        await SendAsync(own.ConnectionString, ["ACL", "SETUSER", "producer", "~orders:*", "+hset", "+hmget"]);
        await using var producer = await ConnectAsync(own, "producer");
        await using var consumer = await ConnectAsync(own, "partition-consumer");
        await using var writer = consumer.CreateWriter(new());
        var topic = Numbered.Topic("orders", 4);
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        await using (var one = Run())
        {
            await producer.Producer.AppendAsync(topic, Enumerable.Range(0, 40).Select(n => new Numbered(n)));
            await Eventually.TrueAsync(() => one.Received.Count >= 40, "all are handled");
            await using var other = Run();
            await Eventually.TrueAsync(async () =>
            {
                await producer.Producer.AppendAsync(topic, Enumerable.Range(0, 10).Select(n => new Numbered(n)));
                return other.Received.Count > 0;
            }, "the other has its share");
        }
        await NothingWasRefusedAsync(own);

        RunningGroup<Numbered> Run() => new(consumer, topic,
            new() { Group = "g", MinIdle = TimeSpan.FromSeconds(1), MaxDeliveries = 1 },
            async (message, cancellationToken) =>
            {
                if (message.Value.Number == 3)
                {
                    throw new InvalidOperationException("a bad one");
                }
                if (message.Value.Number % 2 == 0)
                {
                    return HandlerResult.Handled;
                }
                await inbox.CommitAsync(
                    message, s_countOnce, [$"{message.Topic.Key}:count"], [1], [], cancellationToken: cancellationToken);
                return HandlerResult.Acknowledged;
            });
    }

    [Fact]
    public async Task Durable_writes()
    {
        await using var own = await StartAsync(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 }, "durable");
        await using var client = await ConnectAsync(own, "durable");
        await using var writer = client.CreateWriter(new());
        await Eventually.HoldsAsync(() => writer.EvaluateAsync(s_count, ["job:count"], [], Durability.Replica, default), "it is durable");
        await NothingWasRefusedAsync(own);
    }

    [Fact]
    public async Task A_client_that_follows_the_primary()
    {
        await using var own = await OwnServers.StartAsync(new());
        await SetUsersAsync(own, "following", "following-sentinels");
        await using var client = await ConnectAsync(own, "following");
        await using var writer = client.CreateWriter(new() { RetryFor = LocalServers.LocalRedis.DefaultBound });
        await writer.EvaluateAsync(s_count, ["job:count"], [], Durability.Replica, default);
        var before = await own.Redis.CurrentPrimaryAsync();
        own.Redis[before].Kill();
        await own.Redis.WaitForPrimaryOtherThanAsync(before);
        Assert.Equal(2, (int)await writer.EvaluateAsync(s_count, ["job:count"], [], Durability.Replica, default));
        foreach (var node in own.Redis.Topology.Servers.Concat(own.Redis.Topology.Sentinels).Where(n => n != before))
        {
            await NothingWasRefusedAsync(own.Redis.Topology.ConnectionStringOf(node));
        }
    }

    [Theory]
    [InlineData("+@all", "-@dangerous", "ROLE")]
    [InlineData("+@all", "-sentinel", "SENTINEL")]
    public async Task Without_the_permissions_to_follow_the_primary_the_exception_names_them(string all, string without, string named)
    {
        await using var own = await OwnServers.StartAsync(new());
        foreach (var server in own.Redis.Topology.Servers.Concat(own.Redis.Topology.Sentinels))
        {
            var isSentinel = own.Redis.Topology.Sentinels.Contains(server);
            string[] rules = isSentinel == (named == "SENTINEL") ? [all, without] : [all];
            await SendAsync(own.Redis.Topology.ConnectionStringOf(server),
                ["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", .. rules]);
        }
        await using var client = await TestClient.ConnectAsync($"{own.ConnectionString},user=app,password=secret",
            configure: o => o.AsyncTimeout = 1000);

        var thrown = await Assert.ThrowsAsync<RedisUnavailableException>(() => client.Deployment.EvaluateAsync(s_count, ["job:count"], []));

        Assert.Contains("NOPERM", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(named, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_use_no_channel_gets_a_free_lease_and_is_told_what_is_missing_to_wait_for_one()
    {
        await using var own = await StartAsync("leases");
        await SendAsync(own.ConnectionString, ["ACL", "SETUSER", "leases", "resetchannels"]);
        await using var client = await ConnectAsync(own, "leases");
        await using var held = await client.Leases.AcquireAsync("job:1", s_long);

        var thrown = await Assert.ThrowsAsync<RedisServerException>(() => client.Leases.TryAcquireAsync("job:1", s_long));

        Assert.StartsWith("NOPERM", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("&lease-wake:*", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zadd", "ZADD")]
    [InlineData("evalsha", "evalsha")]
    public async Task A_command_that_a_script_lacks_is_named(string command, string named)
    {
        await using var own = await StartAsync("leases");
        await using var client = await ConnectAsync(own, "leases");
        await using var held = await client.Leases.AcquireAsync("job:1", s_long);
        await SendAsync(own.ConnectionString, ["ACL", "SETUSER", "leases", $"-{command}"]);

        var thrown = await Assert.ThrowsAsync<RedisServerException>(() => client.Leases.TryAcquireAsync("job:1", s_long));

        Assert.StartsWith("NOPERM", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("acquire-lease", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(named, thrown.Message, StringComparison.Ordinal);
    }

    /// <summary>Taken, renewed, waited for, handed over, given back.</summary>
    private static async Task UseAsync(ILeaseProvider first, ILeaseProvider second, string resource)
    {
        var renewed = await first.AcquireAsync(resource, new LeaseOptions { Ttl = TimeSpan.FromSeconds(3) });
        var waiting = second.AcquireAsync(resource, s_long);
        var last = first.AcquireAsync(resource, s_long);
        var remaining = renewed.Remaining;
        await Eventually.TrueAsync(() => remaining < (remaining = renewed.Remaining), "it is renewed");
        await renewed.DisposeAsync();
        await Task.WhenAll(Array.ConvertAll([waiting, last], async l => await (await l).DisposeAsync())).WaitAsync(Eventually.DefaultBound);
        // One that gives up its place.
        await using var held = await first.AcquireAsync(resource, s_long);
        Assert.Null(await second.TryAcquireAsync(resource, s_long with { WaitTimeout = TimeSpan.FromMilliseconds(200) }));
    }

    private static Task<OwnServers> StartAsync(params string[] users)
        => StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 }, users);

    private static async Task<OwnServers> StartAsync(RedisTopologyOptions options, params string[] users)
    {
        var own = await OwnServers.StartAsync(options);
        foreach (var user in users)
        {
            await SetUserAsync(own.Redis.Topology.ConnectionStringOf(own.Redis.Topology.Primary), user);
        }
        return own;
    }

    private static async Task SetUsersAsync(OwnServers own, string onServers, string onSentinels)
    {
        foreach (var server in own.Redis.Topology.Servers)
        {
            await SetUserAsync(own.Redis.Topology.ConnectionStringOf(server), onServers);
        }
        foreach (var sentinel in own.Redis.Topology.Sentinels)
        {
            await SetUserAsync(own.Redis.Topology.ConnectionStringOf(sentinel), onSentinels, onServers);
        }
    }

    /// <summary>The lines of the page for that user.</summary>
    private static async Task SetUserAsync(string node, string user, string? name = null)
    {
        var page = await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "docs", "security.md"));
        var lines = page.Where(line => line.StartsWith($"ACL SETUSER {user} ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(lines);
        foreach (var words in lines.Select(line => line.Split(' ')))
        {
            words[2] = name ?? user;
            await SendAsync(node, words);
        }
        if (name is null)
        {
            // For the scripts of these tests.
            await SendAsync(node, ["ACL", "SETUSER", user, "+incr"]);
        }
    }

    // A Sentinel is asked for nothing else either; ACL is in no map.
    private static Task<ConnectionMultiplexer> AdminAsync(string node)
        => ConnectionMultiplexer.ConnectAsync($"{node},allowAdmin=true", o => o.CommandMap = CommandMap.Sentinel);

    private static async Task SendAsync(string node, string[] words)
    {
        await using var admin = await AdminAsync(node);
        await admin.GetServers()[0].ExecuteAsync(words[0], [.. words[1..]]);
    }

    private static Task<TestClient> ConnectAsync(OwnServers own, string user)
        => TestClient.ConnectAsync($"{own.ConnectionString},user={user},password=secret");

    private static Task NothingWasRefusedAsync(OwnServers own)
        => NothingWasRefusedAsync(own.Redis.Topology.ConnectionStringOf(own.Redis.Topology.Primary));

    private static async Task NothingWasRefusedAsync(string node)
    {
        await using var admin = await AdminAsync(node);
        var log = await admin.GetServers()[0].ExecuteAsync("ACL", "LOG", "100");
        var refused = Enumerable.Range(0, log.Length).Select(i => log[i].ToDictionary())
            .Select(e => $"{e["reason"]} {e["object"]}").Where(e => !s_dispensable.Contains(e.Split(' ')[1])).ToList();
        Assert.Empty(refused);
    }
}
