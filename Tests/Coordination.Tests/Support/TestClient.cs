using System.Globalization;
using System.Text.RegularExpressions;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Streams;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>What one service process has: a shared connection of its own and the coordination services on it.</summary>
internal sealed class TestClient : IAsyncDisposable
{
    private readonly TimeProvider _clock;

    private TestClient(RedisDeployment deployment, TimeProvider clock)
    {
        _clock = clock;
        Deployment = deployment;
        Leases = new RedisLeaseProvider(Deployment, clock, NullLogger<RedisLeaseProvider>.Instance);
        SharedLeases = new SharedLeaseProvider(Deployment, clock, NullLogger<SharedLeaseProvider>.Instance);
        Semaphores = new SemaphoreProvider(Deployment, clock, NullLogger<SemaphoreProvider>.Instance);
        Limiters = new RedisRateLimiters(Deployment, clock);
        Producer = new StreamProducer(Deployment, clock);
    }

    public IConnectionMultiplexer Connection => Deployment.Connection;

    public IDatabase Database => Connection.GetDatabase();

    public RedisDeployment Deployment { get; }

    public RedisShard Shard => Deployment.Shards[0];

    public RedisLeaseProvider Leases { get; }

    public SharedLeaseProvider SharedLeases { get; }

    public SemaphoreProvider Semaphores { get; }

    public RedisRateLimiters Limiters { get; }

    public StreamProducer Producer { get; }

    public static async Task<TestClient> ConnectAsync(
        string connectionString, TimeProvider? clock = null, Action<ConfigurationOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        configure?.Invoke(options);
        return new TestClient(await RedisDeployment.ConnectAsync(options, loggers), clock ?? TimeProvider.System);
    }

    /// <summary>The same for a cluster.</summary>
    public static async Task<TestClient> ConnectClusterAsync(string connectionString, ILoggerFactory? loggers = null)
        => new(await RedisDeployment.ConnectAsync(connectionString, loggers), TimeProvider.System);

    /// <summary>How many are in the queue of a lease whose name has no hash tag.</summary>
    public Task<long> QueuedAsync(string resource) => Database.SortedSetLengthAsync($"{{{resource}}}:queue");

    /// <summary>Until so many are.</summary>
    public Task UntilQueuedAsync(string resource, int count)
        => Eventually.TrueAsync(async () => await QueuedAsync(resource) == count, $"{count} are in the queue");

    /// <summary>How often the server was asked for a command since its statistics were reset.</summary>
    public async Task<int> CallsAsync(string command)
    {
        var statistics = (string)(await Database.ExecuteAsync("INFO", "commandstats"))!;
        return int.Parse(Regex.Match(statistics, $"cmdstat_{command}:calls=([0-9]+)").Groups[1].Value, CultureInfo.InvariantCulture);
    }

    public DurableWriter CreateWriter(DurableWriterOptions options) => new(Deployment, Options.Create(options));

    public ConsumerGroup<T> CreateGroup<T>(StreamTopic<T> topic, ConsumerGroupOptions<T> options, IStreamHandler<T> handler)
        where T : class
        => new(Deployment, topic, options, handler, _clock, NullLogger<ConsumerGroup<T>>.Instance);

    public ValueTask DisposeAsync() => Deployment.DisposeAsync();
}
