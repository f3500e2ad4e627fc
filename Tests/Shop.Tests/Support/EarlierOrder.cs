using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>A confirmed order as earlier versions have stored it; the texts were recorded then.</summary>
internal static class EarlierOrder
{
    public const string PlacedAt = "2026-11-29T09:10:41.1234567+00:00";

    /// <summary>Writes it, with its journal in a list, or, as still earlier, in a stream.</summary>
    public static async Task<string> AddAsync(IDatabase database, string userId, string email, bool inStream, string status = "confirmed")
    {
        var orderId = Guid.CreateVersion7().ToString("N");
        await database.HashSetAsync($"order:{{{orderId}}}",
        [
            new("entry", "1795943441123-0"), new("user_id", userId), new("email", email), new("total", "109.70"),
            new("lines", """[{"sku":"P-1","quantity":2,"unit_price":49.90},{"sku":"P-2","quantity":1,"unit_price":9.90}]"""),
            new("status", status), new("placed_at", PlacedAt),
        ]);
        string[] journal =
        [
            $$"""{"event_id":"{{orderId}}-placed","event_type":"order-placed","schema_version":"1","occurred_at":"2026-11-29T09:10:41.1234567Z","order_id":"{{orderId}}","user_id":"{{userId}}","total_cost":"109.70","lines":"[{\"sku\":\"P-1\",\"quantity\":2,\"unit_price\":49.90},{\"sku\":\"P-2\",\"quantity\":1,\"unit_price\":9.90}]"}""",
            $$"""{"event_id":"{{orderId}}-confirmed","event_type":"order-confirmed","schema_version":"1","occurred_at":"2026-11-29T09:10:41.1534567Z","order_id":"{{orderId}}"}""",
        ];
        foreach (var recorded in journal.Take(status == "placed" ? 1 : 2))
        {
            if (inStream)
            {
                var fields = System.Text.Json.JsonSerializer.Deserialize<Dictionary<string, string>>(recorded)!;
                await database.StreamAddAsync(
                    $"order:{{{orderId}}}:events", [.. fields.Select(f => new NameValueEntry(f.Key, f.Value))]);
            }
            else
            {
                await database.ListRightPushAsync($"order:{{{orderId}}}:journal", recorded);
            }
        }
        return orderId;
    }

    /// <summary>Makes it look as if it was settled then, and belong to its customer.</summary>
    public static async Task IndexAsync(IDatabase database, string orderId, string userId)
    {
        await database.ListRightPushAsync(string.Create(CultureInfo.InvariantCulture, $"customer:{{{userId}}}:orders"), orderId);
        await database.StreamAddAsync("orders:settled", "id", orderId);
    }
}
