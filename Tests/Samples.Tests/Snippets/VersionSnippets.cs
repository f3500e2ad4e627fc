using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/streams.md about schema versions.</summary>
internal static partial class VersionSnippets
{
    #region upcasting
    private static readonly StreamTopic<OrderPlacedV1> s_v1 = new("events:order-placed", "order-placed", 1, VersionJson.Default.OrderPlacedV1);

    public static StreamTopic<OrderPlaced> Topic { get; } =
        new StreamTopic<OrderPlaced>("events:order-placed", "order-placed", 2, VersionJson.Default.OrderPlaced)
            .Upcasting(s_v1, v1 => new OrderPlaced(v1.OrderId, v1.UserId, Currency: "EUR"));
    #endregion

    internal sealed record OrderPlacedV1(string OrderId, string UserId);

    internal sealed record OrderPlaced(string OrderId, string UserId, string Currency);

    [JsonSerializable(typeof(OrderPlacedV1))]
    [JsonSerializable(typeof(OrderPlaced))]
    internal sealed partial class VersionJson : JsonSerializerContext;
}
