using System.Globalization;
using System.Text.Json;
using AspireRedis.Contracts;
using StackExchange.Redis;

namespace AspireRedis.Orders;

/// <summary>
/// An order as the fields of its hash <c>order:{ID}</c>. Each field has at most 64 bytes unless a name is long, so that the server
/// keeps the hash as one block; a longer field costs twice as much for the whole order. Earlier versions had the lines as JSON in
/// one field and the time as text; both are read.
/// </summary>
internal static class OrderHash
{
    /// <summary>In place of the name of a customer who had his data erased.</summary>
    public const string Erased = "erased";

    /// <summary>Names and values in turn, of an order that is placed.</summary>
    public static IEnumerable<RedisValue> Write(Order order)
    {
        RedisValue[] fields =
        [
            "user_id", order.UserId,
            "email", order.Email,
            "total", order.Total.ToString("0.00", CultureInfo.InvariantCulture),
            "status", "placed",
            "placed_at", order.PlacedAt.ToUnixTimeMilliseconds(),
        ];
        return [.. fields, .. order.Lines.SelectMany((line, i) => new RedisValue[] { NameOfLine(i), Write(line) })];
    }

    /// <summary>Null when there is no order.</summary>
    public static Order? Read(string orderId, IReadOnlyDictionary<string, RedisValue> fields)
        => fields.TryGetValue("user_id", out var userId)
            ? new Order(orderId, userId!, (string?)fields.GetValueOrDefault("email") ?? "",
                decimal.Parse((string)fields["total"]!, CultureInfo.InvariantCulture), ReadLines(fields),
                Enum.Parse<OrderStatus>((string)fields["status"]!, ignoreCase: true), ReadTime((string)fields["placed_at"]!))
            : null;

    /// <summary>The fields by their names, as <c>HGETALL</c> gives them.</summary>
    public static Dictionary<string, RedisValue> ByName(HashEntry[] fields) => fields.ToDictionary(f => (string)f.Name!, f => f.Value);

    /// <inheritdoc cref="ByName(HashEntry[])"/>
    public static Dictionary<string, RedisValue> ByName(RedisValue[] fields)
        => fields.Chunk(2).ToDictionary(f => (string)f[0]!, f => f[1]);

    private static string NameOfLine(int index) => string.Create(CultureInfo.InvariantCulture, $"line:{index + 1}");

    private static string Write(OrderedLine line) => string.Create(CultureInfo.InvariantCulture, $"{line.Quantity} {line.UnitPrice} {line.Sku}");

    private static IReadOnlyList<OrderedLine> ReadLines(IReadOnlyDictionary<string, RedisValue> fields)
    {
        if (fields.TryGetValue("lines", out var json))
        {
            return JsonSerializer.Deserialize((string)json!, OrderJson.Default.IReadOnlyListOrderedLine)!;
        }
        List<OrderedLine> lines = [];
        while (fields.TryGetValue(NameOfLine(lines.Count), out var line))
        {
            var parts = ((string)line!).Split(' ', 3);
            lines.Add(new OrderedLine(parts[2], int.Parse(parts[0], CultureInfo.InvariantCulture),
                decimal.Parse(parts[1], CultureInfo.InvariantCulture)));
        }
        return lines;
    }

    private static DateTimeOffset ReadTime(string text)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
            ? DateTimeOffset.FromUnixTimeMilliseconds(ms)
            : DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
