using System.Collections.Concurrent;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>An instance of a consumer group that runs until it is stopped, and what its handler was called with.</summary>
internal sealed class RunningGroup<T> : IStreamHandler<T>, IAsyncDisposable
    where T : class
{
    private static readonly TimeSpan s_stopBound = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<StreamMessage<T>, CancellationToken, Task<HandlerResult>> _handle;
    private readonly ConcurrentQueue<StreamMessage<T>> _received = new();

    public RunningGroup(
        TestClient client, StreamTopic<T> topic, ConsumerGroupOptions<T> options,
        Func<StreamMessage<T>, CancellationToken, Task<HandlerResult>>? handle = null)
    {
        _handle = handle ?? ((_, _) => Task.FromResult(HandlerResult.Handled));
        Completion = client.CreateGroup(topic, options, this).RunAsync(_stopping.Token);
    }

    public IReadOnlyCollection<StreamMessage<T>> Received => _received;

    public Task Completion { get; }

    public Task<HandlerResult> HandleAsync(StreamMessage<T> message, CancellationToken cancellationToken)
    {
        _received.Enqueue(message);
        return _handle(message, cancellationToken);
    }

    /// <summary>Asks it to stop; <see cref="Completion"/> says when it has.</summary>
    public Task StopAsync() => _stopping.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Completion.WaitAsync(s_stopBound);
        _stopping.Dispose();
    }
}
