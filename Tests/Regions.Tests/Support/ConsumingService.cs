using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Regions.Tests.Support;

/// <summary>A service that appends events and handles those of all, with a write for each.</summary>
internal sealed partial class ConsumingService : IStreamHandler<ConsumingService.Happened>, IAsyncDisposable
{
    private static readonly StreamTopic<Happened> s_topic = new("happenings", "happened", 1, HappenedJson.Default.Happened);

    private readonly CancellationTokenSource _stopping = new();
    private readonly RegionClient _client;
    private readonly StreamProducer _producer;
    private readonly Task _consuming;
    private TaskCompletionSource? _held;
    private int _next;

    public ConsumingService(RegionClient client, CapturedLog log)
    {
        _client = client;
        _producer = new StreamProducer(client.Redis, TimeProvider.System);
        _consuming = new ConsumerGroup<Happened>(client.Redis, s_topic, 
            new ConsumerGroupOptions<Happened> { Group = "all", MinIdle = TimeSpan.FromSeconds(1) }, this, TimeProvider.System,
            log.For<ConsumerGroup<Happened>>()).RunAsync(_stopping.Token);
    }

    public ConcurrentQueue<int> Handled { get; } = [];

    /// <summary>Ends when a handler has begun that waits for <see cref="Release"/>.</summary>
    public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Handlers wait from now on before they write.</summary>
    public void Hold() => _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release() => _held!.TrySetResult();

    public async Task AppendAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await _producer.AppendAsync(s_topic, new Happened(_next++));
        }
    }

    public async Task<HandlerResult> HandleAsync(StreamMessage<Happened> message, CancellationToken cancellationToken)
    {
        if (_held is { } held)
        {
            Waiting.TrySetResult();
            await held.Task.WaitAsync(cancellationToken);
        }
        await _client.WriteAsync();
        Handled.Enqueue(message.Value.Number);
        return HandlerResult.Handled;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _consuming;
        _stopping.Dispose();
    }

    internal sealed record Happened(int Number);

    [JsonSerializable(typeof(Happened))]
    internal sealed partial class HappenedJson : JsonSerializerContext;
}
