using System.Text.RegularExpressions;

namespace AspireRedis.Orders.Placing;

/// <summary>An order's id: UUID version 7 without dashes, so that orders sort by time.</summary>
internal static partial class OrderId
{
    public static string New() => Guid.CreateVersion7().ToString("N");

    public static bool IsValid(string orderId) => Pattern().IsMatch(orderId);

    [GeneratedRegex(@"^[0-9a-f]{32}\z")]
    private static partial Regex Pattern();
}
