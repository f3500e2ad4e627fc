using System.Collections.Concurrent;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Coordination.Tests.Failover;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Switchover;

public sealed class PlannedSwitchoverTests(SentinelFixture redis) : IClassFixture<SentinelFixture>, IAsyncLifetime
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    public Task InitializeAsync() => redis.Redis.WaitUntilCompleteAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Under_writes_no_write_fails_none_is_lost_and_none_is_made_twice()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(2) });
        using var load = new Load(client, writer);
        await Eventually.TrueAsync(() => load.Succeeded > 100, "writes are made");
        var before = await redis.Redis.CurrentPrimaryAsync();

        var result = await SwitchOverAsync();

        var after = load.Succeeded;
        await Eventually.TrueAsync(() => load.Succeeded > after + 100, "writes go on");
        await load.StopAsync();
        Assert.Empty(load.Failures);
        Assert.Equal(before.Address.ToString(), EndPointCollection.ToString(result.From));
        Assert.Equal((await redis.Redis.CurrentPrimaryAsync()).Address.ToString(), EndPointCollection.ToString(result.To));
        // Each write adds one and is not repeatable: more would be a second time, less a loss.
        Assert.Equal(load.Succeeded, (int)await client.Database.StringGetAsync(load.Key));
    }

    [Fact]
    public async Task A_node_that_is_primary_again_does_not_wait_for_the_replicas_that_it_once_had()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        using var load = new Load(client, writer);
        await Eventually.TrueAsync(() => load.Succeeded > 100, "writes are made");
        var seen = new HashSet<string>();

        // With three nodes one of them has its second turn by then.
        for (var turn = 0; turn < 4; turn++)
        {
            seen.Add(EndPointCollection.ToString((await SwitchOverAsync()).To));
            await redis.Redis.WaitUntilCompleteAsync();
        }

        await load.StopAsync();
        Assert.True(seen.Count < 4);
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task A_Sentinel_in_TILT_which_would_promote_half_a_minute_later_is_not_asked()
    {
        // The first that would be.
        var tilted = redis.Redis.Topology.Sentinels[0];
        redis.Redis[tilted].Freeze();
        // The time that it does not run is what puts it into TILT.
        await Task.Delay(TimeSpan.FromSeconds(3));
        redis.Redis[tilted].Thaw();
        await Eventually.HoldsAsync(async () => Assert.Contains("is in TILT", (await Assert.ThrowsAsync<TimeoutException>(
            () => redis.Redis.WaitUntilCompleteAsync(TimeSpan.FromMilliseconds(1)))).Message, StringComparison.Ordinal),
            "it is in TILT, and the others see it again");
        var before = await redis.Redis.CurrentPrimaryAsync();

        var result = await SwitchOverAsync();

        Assert.Equal(before.Address.ToString(), EndPointCollection.ToString(result.From));
    }

    [Fact]
    public async Task Commands_go_on_when_the_connection_cannot_be_asked_for_its_role()
    {
        // Not all providers allow it, and a connection string may say so: "$ROLE=".
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString,
            configure: o => o.CommandMap = CommandMap.Create(["ROLE"], available: false));
        await CommandsGoOnAsync(client);
    }

    [Fact]
    public async Task Commands_go_on_when_the_change_of_the_primary_cannot_be_logged()
    {
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new BrokenLogger()));
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, loggers: loggers);
        await CommandsGoOnAsync(client);
    }

    [Fact]
    public async Task A_command_that_a_switchover_holds_back_can_be_cancelled_and_goes_on_when_the_last_of_two_is_over()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        await client.Database.PingAsync();
        var route = client.Shard.Route!;
        route.Follow(route.Primary!, planned: true);
        route.Follow(route.Primary!, planned: true);
        using var cancelling = new CancellationTokenSource();
        Task<RedisResult>[] cancelled =
        [
            client.Deployment.EvaluateAsync(s_count, ["held"], [], cancelling.Token),
            client.Deployment.RunAsync("held", d => d.ExecuteAsync("PING"), repeatable: true, cancelling.Token),
            writer.EvaluateAsync(s_count, ["held"], [], Durability.Replica, cancelling.Token),
        ];
        var held = client.Deployment.EvaluateAsync(s_count, ["held"], []);
        Assert.False(held.IsCompleted);

        await cancelling.CancelAsync();
        foreach (var command in cancelled)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => command.WaitAsync(Eventually.DefaultBound));
        }
        route.OpenGate();
        Assert.NotNull(route.Gate);
        Assert.False(held.IsCompleted);
        route.OpenGate();
        await held.WaitAsync(Eventually.DefaultBound);
        // Behind the one that was cancelled, if that is made all the same.
        await writer.EvaluateAsync(s_count, ["held"], [], Durability.Replica, default);
        Assert.Equal(2, (int)await client.Database.StringGetAsync("held"));
    }

    private async Task CommandsGoOnAsync(TestClient client)
    {
        var key = $"goes-on:{Guid.NewGuid():N}";
        await client.Deployment.EvaluateAsync(s_count, [key], []);
        var before = client.Shard.Primary;

        await SwitchOverAsync();

        await Eventually.TrueAsync(() => !before.Equals(client.Shard.KnownPrimary), "the new primary is followed");
        await Eventually.TrueAsync(() => client.Shard.Route!.Gate is null, "commands are not held back any more");
        await client.Deployment.EvaluateAsync(s_count, [key], []).WaitAsync(Eventually.DefaultBound);
        Assert.Equal(2, (int)await client.Database.StringGetAsync(key));
    }

    private async Task<PlannedSwitchoverResult> SwitchOverAsync()
    {
        var switchover = new PlannedSwitchover(ConfigurationOptions.Parse(redis.ConnectionString), NullLogger<PlannedSwitchover>.Instance);
        return await switchover.RunAsync();
    }

    private sealed class BrokenLogger : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
            => throw new InvalidOperationException("The disk of the log is full.");

        public void Dispose()
        {
        }
    }

    /// <summary>About 200 writes a second, some of them durable.</summary>
    private sealed class Load : IDisposable
    {
        /// <summary>What this load alone counts in: the tests share the servers.</summary>
        public string Key { get; } = $"switchover:{Guid.NewGuid():N}";

        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _writing;
        private int _succeeded;

        public Load(TestClient client, DurableWriter writer)
            => _writing = Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(async () =>
            {
                while (!_stopping.IsCancellationRequested)
                {
                    try
                    {
                        await writer.EvaluateAsync(s_count, [Key], [], i % 2 == 0 ? Durability.Replica : Durability.Memory, default);
                        Interlocked.Increment(ref _succeeded);
                    }
                    catch (Exception e)
                    {
                        Failures.Enqueue(e);
                    }
                    await Task.Delay(100);
                }
            })));

        public int Succeeded => Volatile.Read(ref _succeeded);

        public ConcurrentQueue<Exception> Failures { get; } = new();

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _writing;
        }

        public void Dispose() => _stopping.Dispose();
    }
}
