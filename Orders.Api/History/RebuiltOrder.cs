using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Orders.History;

/// <summary>
/// An order rebuilt from its events alone. The customer's mail address is in no event of the journal: it is personal data,
/// which must be erasable.
/// </summary>
internal sealed record RebuiltOrder(string UserId, decimal Total, IReadOnlyList<OrderedLine> Lines, OrderStatus Status,
    DateTimeOffset PlacedAt)
{
    /// <summary>Null without an <see cref="OrderPlaced"/> event, and when an event cannot be read: it may change the state.</summary>
    /// <param name="events">The journal.</param>
    /// <param name="unreadable">Gets the events that cannot be read, and why.</param>
    public static RebuiltOrder? From(IEnumerable<RecordedEvent> events, Dictionary<RecordedEvent, string> unreadable)
    {
        RebuiltOrder? order = null;
        foreach (var recorded in events)
        {
            try
            {
                order = Apply(order, recorded);
            }
            catch (StreamDecodeException e)
            {
                unreadable[recorded] = e.Message;
            }
        }
        return unreadable.Count == 0 ? order : null;
    }

    /// <summary>The names of the properties that differ from the stored order.</summary>
    public IReadOnlyList<string> DifferencesFrom(Order stored)
    {
        List<string> differences = [];
        void Compare(string name, bool same)
        {
            if (!same)
            {
                differences.Add(name);
            }
        }
        Compare("userId", UserId == stored.UserId);
        Compare("total", Total == stored.Total);
        Compare("lines", Lines.SequenceEqual(stored.Lines));
        Compare("status", Status == stored.Status);
        Compare("placedAt", PlacedAt == stored.PlacedAt);
        return differences;
    }

    private static RebuiltOrder? Apply(RebuiltOrder? order, RecordedEvent recorded)
        => recorded.TryDecode(Topics.OrderPlaced, out var placed)
            ? order ?? new RebuiltOrder(placed.UserId, placed.TotalCost, placed.Lines, OrderStatus.Placed, recorded.OccurredAt)
            : recorded.TryDecode(Topics.OrderConfirmed, out _) ? order?.Settle(OrderStatus.Confirmed)
            : recorded.TryDecode(Topics.OrderRejected, out _) ? order?.Settle(OrderStatus.Rejected)
            : order;

    // An order is settled once.
    private RebuiltOrder Settle(OrderStatus status) => Status == OrderStatus.Placed ? this with { Status = status } : this;
}
