using System.Diagnostics;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerGroupShutdownTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    // Whoever waits for the end of a read misses this bound.
    private static readonly TimeSpan s_block = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_blocked_read_is_ended_at_once()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("blocked-read"), new() { Group = "g", Block = s_block });
        await Eventually.TrueAsync(
            async () => ((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n')
                .Any(c => c.Contains("blocked-read-g", StringComparison.Ordinal) && c.Contains("cmd=xreadgroup", StringComparison.Ordinal)
                && c.Contains("flags=b", StringComparison.Ordinal)),
            "the read blocks");

        await group.StopAsync();

        await group.Completion.WaitAsync(s_bound);
    }

    [Fact]
    public async Task A_blocked_read_is_ended_by_way_of_its_own_server_wherever_the_shared_connection_leads()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await client.Database.ExecuteAsync("CONFIG", "SET", "slowlog-log-slower-than", 0);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("own"), new() { Group = "g", Block = s_block });
        await Eventually.TrueAsync(
            async () => ((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n')
                .Any(c => c.Contains("cmd=xreadgroup", StringComparison.Ordinal) && c.Contains("flags=b", StringComparison.Ordinal)),
            "the read blocks");

        await group.StopAsync();
        await group.Completion.WaitAsync(s_bound);

        var log = await client.Database.ExecuteAsync("SLOWLOG", "GET", 100);
        var unblocking = Enumerable.Range(0, log.Length)
            .Where(i => string.Join(' ', (string[])log[i][3]!).StartsWith("CLIENT UNBLOCK", StringComparison.OrdinalIgnoreCase))
            .Select(i => (string)log[i][5]!).ToList();
        Assert.NotEmpty(unblocking);
        Assert.All(unblocking, name => Assert.EndsWith("-acknowledgements", name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Stopping_at_any_moment_ends_within_the_bound_and_loses_nothing()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("any-moment");
        var received = new List<int>();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 60; i++)
        {
            var appending = client.AppendNumbersAsync("any-moment", i, 1);
            await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g", Consumer = "same", Block = s_block });
            // From before it has connected to when it has long been blocked.
            await Task.Delay(i % 20);
            await group.StopAsync();
            await group.Completion.WaitAsync(s_bound);
            await appending;
            received.AddRange(group.Received.Numbers());
        }
        Assert.True(clock.Elapsed < s_block, $"{clock.Elapsed}");

        await using var last = new RunningGroup<Numbered>(client, topic, new() { Group = "g", Consumer = "same" });
        await Eventually.TrueAsync(() => received.Concat(last.Received.Numbers()).Distinct().Count() == 60,
            "each event is handled in one of the lives");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("any-moment", "g") == 0, "nothing is pending");
    }

    [Fact]
    public async Task A_running_handler_finishes_and_what_has_not_begun_is_left_to_the_next_instance()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("draining");
        await client.AppendNumbersAsync("draining", 0, 25);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var first = new RunningGroup<Numbered>(client, topic,
            new() { Group = "g", Consumer = "first", MaxConcurrency = 1, BatchSize = 10, Block = s_block,
            DrainTimeout = TimeSpan.FromMinutes(5) }, async (_, _) =>
            {
                await gate.Task;
                return HandlerResult.Handled;
            });
        await Eventually.TrueAsync(async () => await client.Database.PendingOfAsync("draining", "g", "first") == 20,
            "it has read as much as it may");
        Assert.Single(first.Received);

        await first.StopAsync();
        Assert.False(first.Completion.IsCompleted);
        gate.SetResult();
        await first.Completion.WaitAsync(s_bound);

        Assert.Equal([0], first.Received.Numbers());
        Assert.Equal(19, await client.Database.PendingAsync("draining", "g"));
        await using var next = new RunningGroup<Numbered>(client, topic,
            new() { Group = "g", Consumer = "next", MinIdle = TimeSpan.FromMilliseconds(300) });
        await Eventually.TrueAsync(() => next.Received.Count >= 24, "the next instance handles the others");
        Assert.Equal(Enumerable.Range(1, 24), next.Received.Numbers());
    }

    [Fact]
    public async Task A_handler_that_needs_longer_than_the_drain_timeout_is_cancelled_and_its_event_comes_again()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("overdue", 0, 1);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("overdue"),
            new() { Group = "g", Block = s_block, DrainTimeout = TimeSpan.FromMilliseconds(200) }, async (_, cancellationToken) =>
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
                return HandlerResult.Handled;
            });
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the handler runs");

        await group.StopAsync();
        await group.Completion.WaitAsync(s_bound);

        Assert.Equal(1, await client.Database.PendingAsync("overdue", "g"));
    }

    [Fact]
    public async Task It_ends_also_while_the_server_is_away()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("away"), new() { Group = "g" });
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("away"), "the group is created");
        own.Server.Kill();

        await group.StopAsync();

        await group.Completion.WaitAsync(s_bound);
    }
}
