using System.Globalization;

namespace AspireRedis.Orders.Listing;

/// <summary>
/// Where a page ended, in each partition that has more: the next one goes on there, whatever was placed or deleted meanwhile. A partition
/// that had no more has none, so that what is placed there later is on no later page.
/// </summary>
internal sealed class OrderCursor
{
    /// <summary>What is wrong with a cursor.</summary>
    public const string Rule = "cursor must be the next of another page.";

    private const char Separator = '.';

    private readonly Dictionary<int, OrderPosition> _positions;

    private OrderCursor(Dictionary<int, OrderPosition> positions) => _positions = positions;

    /// <summary>Null when no partition has more.</summary>
    public static OrderCursor? Of(Dictionary<int, OrderPosition> positions) => positions.Count == 0 ? null : new OrderCursor(positions);

    /// <summary>What <see cref="ToString"/> has made; null for anything else.</summary>
    public static OrderCursor? Parse(string text, OrderKeys keys)
    {
        var parts = text.Split(Separator, keys.PartitionCount + 1);
        var positions = new Dictionary<int, OrderPosition>();
        return parts.All(part => OrderPosition.TryParse(part, out var position)
            && positions.TryAdd(keys.PartitionOf(position.OrderId), position)) ? new OrderCursor(positions) : null;
    }

    /// <summary>Where to go on in a partition; null when there is nothing more.</summary>
    public OrderPosition? In(int partition) => _positions.TryGetValue(partition, out var position) ? position : null;

    public override string ToString() => string.Join(Separator, _positions.Values);
}

/// <summary>A place among a customer's orders in one partition.</summary>
/// <param name="Newer">How many of them were newer than this one, so that it need not be looked for.</param>
/// <param name="OrderId">The order.</param>
/// <param name="IsShown">Whether it was on a page: then what follows begins behind it, else with it.</param>
internal readonly record struct OrderPosition(long Newer, string OrderId, bool IsShown)
{
    private const char Shown = '-';
    private const char NotShown = '_';
    private const int IdLength = 32;

    public static bool TryParse(string text, out OrderPosition position)
    {
        position = default;
        if (text.Length <= IdLength + 1 || text[^(IdLength + 1)] is not (Shown or NotShown) || !Placing.OrderId.IsValid(text[^IdLength..])
            || !int.TryParse(text.AsSpan(0, text.Length - IdLength - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var newer))
        {
            return false;
        }
        position = new OrderPosition(newer, text[^IdLength..], text[^(IdLength + 1)] == Shown);
        return true;
    }

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Newer}{(IsShown ? Shown : NotShown)}{OrderId}");
}
