using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamMetricsTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task What_a_group_does_is_counted_and_where_it_stands_is_shown()
    {
        using var metrics = new StreamMeasurements("measured");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("measured", 0, 10);
        await client.Database.ReadWithoutAcknowledgingAsync("measured", "g", "dead", 2);
        await client.Database.StreamAddAsync("measured", "a", "b");
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("measured"),
            new() { Group = "g", MinIdle = TimeSpan.FromSeconds(3), RetryDelay = TimeSpan.FromMilliseconds(10) }, async (message, _) =>
            {
                if (message.Value.Number == 5 && message.DeliveryCount == 1)
                {
                    throw new InvalidOperationException("the first time");
                }
                if (message.Value.Number == 9)
                {
                    await gate.Task;
                }
                return HandlerResult.Handled;
            });

        await Eventually.TrueAsync(() => metrics.Sum("redis.stream.handled", "handled") == 9, "nine are handled");
        await Eventually.TrueAsync(() => metrics.Last("redis.stream.pending") == 1, "the tenth is shown as pending");
        Assert.Equal(0, metrics.Last("redis.stream.lag"));
        Assert.True(metrics.Last("redis.stream.oldest_pending.age") > 0);
        Assert.Equal(1, metrics.Sum("redis.stream.handled", "failed"));
        Assert.Equal(1, metrics.Sum("redis.stream.handled", "dead_lettered"));
        Assert.Equal(1, metrics.Sum("redis.stream.dead_lettered"));
        Assert.Equal(1, metrics.Sum("redis.stream.retries"));
        Assert.Equal(2, metrics.Sum("redis.stream.reclaimed"));
        // Of first deliveries of what could be read.
        Assert.Equal(8, metrics.Count("redis.stream.delivery.duration"));
        Assert.Equal(11, metrics.Count("messaging.process.duration"));

        gate.SetResult();
        await Eventually.TrueAsync(() => metrics.Last("redis.stream.pending") == 0
            && metrics.Last("redis.stream.oldest_pending.age") is null, "nothing is pending");
    }

    [Fact]
    public async Task Whoever_monitors_a_stream_shows_the_lag_of_a_group_whose_only_consumer_has_stopped()
    {
        using var metrics = new StreamMeasurements("abandoned");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using (var group = new RunningGroup<Numbered>(client, Numbered.Topic("abandoned"), new() { Group = "g" }))
        {
            await client.AppendNumbersAsync("abandoned", 0, 1);
            await Eventually.TrueAsync(() => group.Received.Count == 1, "it consumes");
        }
        Assert.Null(metrics.Last("redis.stream.lag"));
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(client.Deployment)
            .AddSingleton<StreamGroups>().AddStreamMonitor("abandoned").AddStreamMonitor("no-such-stream");
        await using var provider = services.BuildServiceProvider();
        var monitors = provider.GetServices<IHostedService>().ToList();
        await Task.WhenAll(monitors.Select(m => m.StartAsync(default)));

        await client.AppendNumbersAsync("abandoned", 1, 60);

        await Eventually.TrueAsync(() => metrics.Last("redis.stream.lag") == 60, "the lag is shown");
        Assert.Equal(0, metrics.Last("redis.stream.pending"));
        await new StreamGroups(client.Deployment).DeleteAsync("abandoned", "g");
        await Eventually.TrueAsync(() => metrics.Last("redis.stream.lag") is null, "a group that is deleted is not shown");
        await Task.WhenAll(monitors.Select(m => m.StopAsync(default)));
    }

    [Fact]
    public async Task Of_a_topic_with_partitions_each_is_shown_by_its_number()
    {
        using var metrics = new StreamMeasurements("divided");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("divided", 2);
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(client.Deployment)
            .AddSingleton<StreamGroups>().AddStreamMonitor(topic);
        await using var provider = services.BuildServiceProvider();
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 40).Select(n => new Numbered(n)));
        await using (var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(1) }))
        {
            await Eventually.TrueAsync(() => metrics.Sum("redis.stream.handled", "handled") == 40, "all are handled");
            Assert.Equal(2, metrics.Sum("redis.stream.partitions"));
            await Eventually.TrueAsync(() => metrics.Last("redis.stream.lag", "0") == 0 && metrics.Last("redis.stream.lag", "1") == 0,
                "the consumer shows both");
            Assert.Null(metrics.Last("redis.stream.lag"));
        }
        Assert.Equal(0, metrics.Sum("redis.stream.partitions"));
        Assert.Null(metrics.Last("redis.stream.lag", "0"));
        var monitors = provider.GetServices<IHostedService>().ToList();
        await Task.WhenAll(monitors.Select(m => m.StartAsync(default)));

        await client.Producer.AppendAsync(topic.Partition(1), [new Numbered(1), new Numbered(2), new Numbered(3)]);

        await Eventually.TrueAsync(() => metrics.Last("redis.stream.lag", "1") == 3 && metrics.Last("redis.stream.lag", "0") == 0,
            "the monitor shows both");
        await Task.WhenAll(monitors.Select(m => m.StopAsync(default)));
    }

    [Fact]
    public async Task What_seldom_happens_is_counted_from_zero()
    {
        using var telemetry = new Telemetry();
        await using var own = await OwnServers.StartAsync(new() { Replicas = 1 });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("seldom"), new() { Group = "g" });
        await (await client.Leases.AcquireAsync("seldom:lease")).DisposeAsync();

        foreach (var name in (string[])["redis.failovers", "redis.lock.lost", "redis.lock.fence.rejections", "redis.stream.dead_lettered"])
        {
            Assert.Contains((name, 0d), telemetry.Values);
        }
    }

    [Fact]
    public async Task A_lag_that_the_server_does_not_know_is_unknown_and_not_zero()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var groups = new StreamGroups(client.Deployment);
        await client.AppendNumbersAsync("lagging", 0, 10);
        Assert.Null(await groups.DescribeAsync("lagging", "g"));
        Assert.Null(await groups.DescribeAsync("no-such-stream", "g"));
        await client.Database.ReadWithoutAcknowledgingAsync("lagging", "g", "c", 3);
        var status = await groups.DescribeAsync("lagging", "g");
        Assert.Equal((7L, 3L, 1L, 0L), (status!.Lag, status.Pending, status.Consumers, status.DeadLetters));
        Assert.InRange(status.OldestPendingAge!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(1));

        // An entry in the middle of what is to come.
        await client.Database.StreamDeleteAsync("lagging", [(await client.Database.StreamRangeAsync("lagging"))[6].Id]);

        Assert.Null((await groups.DescribeAsync("lagging", "g"))!.Lag);
    }

    [Fact]
    public async Task A_group_that_has_read_everything_has_no_lag_whatever_the_server_has_counted()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var groups = new StreamGroups(client.Deployment);
        await client.AppendNumbersAsync("miscounted", 0, 10);
        await groups.CreateAsync("miscounted", "g", StartPosition.Beginning);
        var last = (await client.Database.StreamRangeAsync("miscounted"))[^1].Id;
        await client.Database.ExecuteAsync("XGROUP", "SETID", "miscounted", "g", last, "ENTRIESREAD", 3);
        Assert.Equal(7, (await client.Database.StreamGroupInfoAsync("miscounted"))[0].Lag);

        Assert.Equal(0, (await groups.DescribeAsync("miscounted", "g"))!.Lag);
    }
}
