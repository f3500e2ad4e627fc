using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>
/// What waits for the handler of a subscription: payloads and gaps, in order. When it is full, what comes is counted in a gap at its
/// end. Safe for concurrent use by many who add and one who takes.
/// </summary>
#pragma warning disable CA1001 // A semaphore of which nobody asks for the wait handle holds nothing.
internal sealed class ChannelBuffer(int capacity)
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly Queue<Item> _items = new();
    private readonly SemaphoreSlim _available = new(0);
    private Item? _last;
    private bool _ended;

    /// <summary>Adds a payload; false when it is dropped.</summary>
    public bool Add(RedisValue payload)
    {
        lock (_lock)
        {
            if (_ended || _items.Count < capacity)
            {
                Enqueue(new Item(payload, null));
                return true;
            }
            if (_last?.Gap is { Reason: ChannelGapReason.Overflow })
            {
                _last.Gap = _last.Gap with { Dropped = _last.Gap.Dropped + 1 };
            }
            else
            {
                Enqueue(new Item(default, new ChannelGap(ChannelGapReason.Overflow, 1)));
            }
            return false;
        }
    }

    /// <summary>Adds a gap; several interruptions with nothing in between are one.</summary>
    public void AddInterruption()
    {
        lock (_lock)
        {
            if (_last?.Gap is not { Reason: ChannelGapReason.Interrupted })
            {
                Enqueue(new Item(default, new ChannelGap(ChannelGapReason.Interrupted, 0)));
            }
        }
    }

    /// <summary>What is next.</summary>
    public async ValueTask<(RedisValue Payload, ChannelGap? Gap)> TakeAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        lock (_lock)
        {
            var item = _items.Dequeue();
            if (ReferenceEquals(item, _last))
            {
                _last = null;
            }
            return (item.Payload, item.Gap);
        }
    }

    /// <summary>Nothing is taken any more.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            _items.Clear();
        }
    }

    private void Enqueue(Item item)
    {
        if (_ended)
        {
            return;
        }
        _items.Enqueue(item);
        _last = item;
        _available.Release();
    }

    private sealed class Item(RedisValue payload, ChannelGap? gap)
    {
        public RedisValue Payload { get; } = payload;

        public ChannelGap? Gap { get; set; } = gap;
    }
}
