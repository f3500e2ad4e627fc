using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>What one service process has: a connection with the settings of the services, a producer and consumer groups on it.</summary>
internal sealed class StreamClient : IAsyncDisposable
{
    private StreamClient(ConnectionMultiplexer connection, ConfigurationOptions options)
    {
        Connection = connection;
        Deployment = new RedisDeployment(() => connection, () => options);
        Producer = new StreamProducer(Deployment, TimeProvider.System);
    }

    public ConnectionMultiplexer Connection { get; }

    public IDatabase Database => Connection.GetDatabase();

    public RedisDeployment Deployment { get; }

    public StreamProducer Producer { get; }

    public static async Task<StreamClient> ConnectAsync(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        RedisConnectionDefaults.Apply(options);
        return new StreamClient(await ConnectionMultiplexer.ConnectAsync(options), options);
    }

    /// <summary>Consumes with the default options of the library until <paramref name="stopping"/>.</summary>
    public Task ConsumeAsync(string key, string group, Action<BenchmarkEvent> handle, CancellationToken stopping)
        => new ConsumerGroup<BenchmarkEvent>(
            Deployment, BenchmarkEvent.Topic(key), new ConsumerGroupOptions { Group = group }, new Handler(handle),
            TimeProvider.System, NullLogger<ConsumerGroup<BenchmarkEvent>>.Instance).RunAsync(stopping);

    public async ValueTask DisposeAsync() => await Connection.CloseAsync();

    private sealed class Handler(Action<BenchmarkEvent> handle) : IStreamHandler<BenchmarkEvent>
    {
        public Task<HandlerResult> HandleAsync(StreamMessage<BenchmarkEvent> message, CancellationToken cancellationToken)
        {
            handle(message.Value);
            return Task.FromResult(HandlerResult.Handled);
        }
    }
}
