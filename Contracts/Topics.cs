using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Contracts;

/// <summary>The streams of the shop.</summary>
public static class Topics
{
    /// <summary>Every order, consumed by the groups <c>payments</c> and <c>sales</c>.</summary>
    public static StreamTopic<OrderPlaced> OrderPlaced { get; } =
        new("events:order-placed", "order-placed", 1, EventJson.Default.OrderPlaced);

    /// <summary>Mails to send, consumed by the group <c>mailers</c>.</summary>
    public static StreamTopic<EmailRequested> Email { get; } =
        new("email_stream", "email-requested", 1, EventJson.Default.EmailRequested);
}

/// <summary>How events are written: snake_case, because people read streams in redis-cli.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(EmailRequested))]
internal sealed partial class EventJson : JsonSerializerContext;
