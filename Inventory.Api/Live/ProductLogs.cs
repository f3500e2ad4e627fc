using System.Runtime.ExceptionServices;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Inventory.Live;

/// <summary>The logs of all partitions, of which nothing has an order. Safe for concurrent use.</summary>
internal sealed class ProductLogs(int partitions, int kept)
{
    private readonly ProductLog[] _logs = [.. Enumerable.Range(0, partitions).Select(_ => new ProductLog(kept))];
    private TaskCompletionSource _changed = NewSource();
    private Exception? _failure;

    /// <summary>Ends when one of them has changed since it was asked for.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    public ProductLog this[int partition] => _logs[partition];

    /// <summary>What the reader of a partition has read.</summary>
    public void Add(int partition, StreamTailBatch batch)
    {
        _logs[partition].Add(batch);
        Signal();
    }

    /// <summary>The readers have ended.</summary>
    public void Fail(Exception failure)
    {
        Interlocked.CompareExchange(ref _failure, failure, null);
        Signal();
    }

    /// <summary>Why the readers have ended, if they have.</summary>
    public void ThrowIfFailed()
    {
        if (Volatile.Read(ref _failure) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Until the readers of these partitions have read what their streams had, now or since they began anew.</summary>
    /// <returns>Of each partition which beginning that was.</returns>
    public async Task<int[]> WhenCaughtUpAsync(IReadOnlyList<int> some, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Changed;
            ThrowIfFailed();
            var (generations, isCaughtUp) = (new int[_logs.Length], true);
            foreach (var partition in some)
            {
                (generations[partition], var isThis) = _logs[partition].Beginning;
                isCaughtUp &= isThis;
            }
            if (isCaughtUp)
            {
                return generations;
            }
            await changed.WaitAsync(cancellationToken);
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Signal() => Interlocked.Exchange(ref _changed, NewSource()).TrySetResult();
}
