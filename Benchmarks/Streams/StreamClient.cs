using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>What one service process has: a connection with the settings of the services, a producer and consumer groups on it.</summary>
internal sealed class StreamClient : IAsyncDisposable
{
    /// <summary>On a deployment of somebody else's; disposing closes it.</summary>
    public StreamClient(RedisDeployment deployment)
    {
        Deployment = deployment;
        Producer = new StreamProducer(Deployment, TimeProvider.System);
    }

    public IDatabase Database => Deployment.Database;

    public RedisDeployment Deployment { get; }

    public StreamProducer Producer { get; }

    public static async Task<StreamClient> ConnectAsync(string connectionString)
        => new(await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString)));

    /// <summary>Consumes with the default options of the library until <paramref name="stopping"/>.</summary>
    public Task ConsumeAsync(string key, string group, Action<BenchmarkEvent> handle, CancellationToken stopping)
        => new ConsumerGroup<BenchmarkEvent>(
            Deployment, BenchmarkEvent.Topic(key), new ConsumerGroupOptions<BenchmarkEvent> { Group = group }, new Handler(handle),
            TimeProvider.System, NullLogger<ConsumerGroup<BenchmarkEvent>>.Instance).RunAsync(stopping);

    public async ValueTask DisposeAsync() => await Deployment.DisposeAsync();

    private sealed class Handler(Action<BenchmarkEvent> handle) : IStreamHandler<BenchmarkEvent>
    {
        public Task<HandlerResult> HandleAsync(StreamMessage<BenchmarkEvent> message, CancellationToken cancellationToken)
        {
            handle(message.Value);
            return Task.FromResult(HandlerResult.Handled);
        }
    }
}
