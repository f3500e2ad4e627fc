using AspireRedis.Coordination.Streams;

namespace Streams;

/// <summary>Fails once, for Kiel; the entry comes again after the delay for retries, the others do not wait for it.</summary>
internal sealed class ParcelHandler : IStreamHandler<Parcel>
{
    private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = 3;

    public Task AllHandled => _all.Task;

    public Task<HandlerResult> HandleAsync(StreamMessage<Parcel> message, CancellationToken cancellationToken)
    {
        if (message is { Value.Town: "Kiel", DeliveryCount: 1 })
        {
            Console.WriteLine("Kiel failed.");
            throw new InvalidOperationException("The lorry broke down.");
        }
        Console.WriteLine($"Handled {message.Value.Town}, delivery {message.DeliveryCount}.");
        if (Interlocked.Decrement(ref _left) == 0)
        {
            _all.SetResult();
        }
        return Task.FromResult(HandlerResult.Handled);
    }
}
