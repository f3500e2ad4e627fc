using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using AspireRedis.Contracts;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;
using AspireRedis.ServiceDefaults.Live;

namespace AspireRedis.Orders.Live;

/// <summary>
/// Tells everybody who is connected to this instance how their orders go. One subscription, however many they are, and none when there
/// is nobody, says which order has changed; the journal of the order says what. Where messages may be missing, all orders are looked at.
/// </summary>
internal sealed class OrderFeed(ChannelSubscriber subscriber, OrderStore orders, TimeProvider clock)
    : IChannelHandler<OrderChanged>, IAsyncDisposable
{
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watch> _watched = new(StringComparer.Ordinal);
    private readonly WhileListened<Task<ChannelSubscription>> _subscription = new(
        static s => s.IsFaulted || s.IsCanceled, EndAsync, s_linger, clock);

    /// <summary>The journal; null when there is no such order.</summary>
    public async Task<IReadOnlyList<RecordedEvent>?> FindAsync(string orderId, CancellationToken cancellationToken)
    {
        var (order, events, _) = await orders.FindWithEventsAsync(orderId, cancellationToken);
        return order is null ? null : events;
    }

    /// <summary>Whether an order with this journal changes no more.</summary>
    public static bool IsComplete(IReadOnlyList<RecordedEvent> events)
        => events.Count > 0 && events[^1].EventType == Topics.OrderMailed.EventType;

    /// <summary>The events for one who is connected.</summary>
    /// <param name="orderId">An order that there is.</param>
    /// <param name="after">How many events he has seen.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(
        string orderId, int after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var watch = Join(orderId);
        var subscription = _subscription.Join(() => subscriber.SubscribeAsync(Topics.OrderChanged, this));
        try
        {
            // Before the first look: what changes behind it is told.
            await subscription.WaitAsync(cancellationToken);
            while (true)
            {
                var changed = watch.Changed;
                var (order, events, _) = await orders.FindWithEventsAsync(orderId, cancellationToken);
                if (order is null)
                {
                    throw new LiveEndException(LiveEnd.Gone);
                }
                if (after > events.Count)
                {
                    // A failover has lost what was told, or it was never told.
                    yield return new SseItem<string>("""{"reason":"unknown","complete":true}""", "reset");
                    after = 0;
                }
                for (; after < events.Count; after++)
                {
                    yield return new SseItem<string>(Json(orderId, events[after]), "order")
                    {
                        EventId = (after + 1).ToString(CultureInfo.InvariantCulture),
                    };
                }
                if (IsComplete(events))
                {
                    throw new LiveEndException(LiveEnd.Complete);
                }
                await changed.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            _subscription.Leave();
            Leave(orderId, watch);
        }
    }

    Task IChannelHandler<OrderChanged>.HandleAsync(ChannelMessage<OrderChanged> message, CancellationToken cancellationToken)
    {
        Watch? watch;
        lock (_lock)
        {
            watch = _watched.GetValueOrDefault(message.Value.OrderId);
        }
        watch?.Signal();
        return Task.CompletedTask;
    }

    Task IChannelHandler<OrderChanged>.HandleGapAsync(ChannelGap gap, CancellationToken cancellationToken)
    {
        Watch[] all;
        lock (_lock)
        {
            all = [.. _watched.Values];
        }
        Array.ForEach(all, w => w.Signal());
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => _subscription.DisposeAsync();

    /// <summary>Of each event the last word of its type: placed, confirmed, rejected, mailed.</summary>
    private static string Json(string orderId, RecordedEvent recorded)
    {
        var type = recorded.EventType ?? "";
        var status = type[(type.IndexOf('-', StringComparison.Ordinal) + 1)..];
        var at = recorded.OccurredAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        return $$"""{"orderId":"{{orderId}}","status":"{{status}}","at":"{{at}}"}""";
    }

    private static async Task EndAsync(Task<ChannelSubscription> subscription)
    {
        if (subscription.IsCompletedSuccessfully)
        {
            await (await subscription).DisposeAsync();
        }
    }

    private Watch Join(string orderId)
    {
        lock (_lock)
        {
            if (!_watched.TryGetValue(orderId, out var watch))
            {
                _watched[orderId] = watch = new Watch();
            }
            watch.Readers++;
            return watch;
        }
    }

    private void Leave(string orderId, Watch watch)
    {
        lock (_lock)
        {
            if (--watch.Readers == 0)
            {
                _watched.Remove(orderId);
            }
        }
    }

    /// <summary>Those who wait for one order.</summary>
    private sealed class Watch
    {
        private TaskCompletionSource _changed = NewSource();

        public int Readers { get; set; }

        /// <summary>Ends when the order has changed since it was asked for.</summary>
        public Task Changed => Volatile.Read(ref _changed).Task;

        public void Signal()
            => Interlocked.Exchange(ref _changed, NewSource()).TrySetResult();

        private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
