using System.Collections.Concurrent;
using AspireRedis.Streams.Conformance.Libraries;

namespace AspireRedis.Streams.Conformance.Support;

/// <summary>A running instance, and what its handler was called with.</summary>
public sealed class Consumer : IAsyncDisposable
{
    private static readonly TimeSpan s_stopBound = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<Delivery> _begun = new();
    private readonly ConcurrentQueue<Delivery> _handled = new();
    private readonly IConsumerInstance _instance;

    public Consumer(IConsumerLibrary library, InstanceSettings settings, Func<Delivery, CancellationToken, Task>? handler = null)
        => _instance = library.Start(settings, async (delivery, cancellationToken) =>
        {
            _begun.Enqueue(delivery);
            if (handler is not null)
            {
                await handler(delivery, cancellationToken);
            }
            _handled.Enqueue(delivery);
        });

    /// <summary>Whose handler was called.</summary>
    public IReadOnlyCollection<Delivery> Begun => _begun;

    /// <summary>Whose handler has returned and not thrown, in this order.</summary>
    public IReadOnlyCollection<Delivery> Handled => _handled;

    public Task StopAsync() => _instance.StopAsync().WaitAsync(s_stopBound);

    public async ValueTask DisposeAsync() => await _instance.DisposeAsync().AsTask().WaitAsync(s_stopBound);
}
