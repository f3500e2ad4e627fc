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
    /// <summary>Null without an <see cref="OrderPlaced"/> event.</summary>
    /// <exception cref="StreamDecodeException">An event cannot be read.</exception>
    public static RebuiltOrder? From(IEnumerable<RecordedEvent> events)
    {
        RebuiltOrder? order = null;
        foreach (var recorded in events)
        {
            if (recorded.TryDecode(Topics.OrderPlaced, out var placed))
            {
                order ??= new RebuiltOrder(placed.UserId, placed.TotalCost, placed.Lines, OrderStatus.Placed, recorded.OccurredAt);
            }
            else if (recorded.TryDecode(Topics.OrderConfirmed, out _))
            {
                order = order?.Settle(OrderStatus.Confirmed);
            }
            else if (recorded.TryDecode(Topics.OrderRejected, out _))
            {
                order = order?.Settle(OrderStatus.Rejected);
            }
        }
        return order;
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

    // An order is settled once.
    private RebuiltOrder Settle(OrderStatus status) => Status == OrderStatus.Placed ? this with { Status = status } : this;
}
