using System.Globalization;

namespace AspireRedis.Orders.Listing;

/// <summary>The last order of a page: the next one begins behind it, whatever was placed or deleted meanwhile.</summary>
/// <param name="Index">Where it was among the customer's orders, so that it need not be looked for.</param>
/// <param name="OrderId">The order.</param>
internal readonly record struct OrderCursor(int Index, string OrderId)
{
    /// <summary>What is wrong with a cursor.</summary>
    public const string Rule = "cursor must be the next of another page.";

    public static bool TryParse(string text, out OrderCursor cursor)
    {
        cursor = default;
        if (text.Split('-') is not [var index, var orderId] || !Placing.OrderId.IsValid(orderId)
            || !int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var at))
        {
            return false;
        }
        cursor = new OrderCursor(at, orderId);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}-{OrderId}");
}
