using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>Properties whose JSON cannot be told from their type, or whose null is not their default.</summary>
public sealed record Odd
{
    public JsonElement Element { get; init; } = JsonDocument.Parse("1").RootElement;
    public JsonNode? Node { get; init; }
    public object? Anything { get; init; }
    public string? Currency { get; init; } = "EUR";
    public int? Count { get; init; } = 7;
    public required string? Note { get; init; }
    public Half Half { get; init; }
    public Int128 Huge { get; init; }
    public UnsignedEnum Bits { get; init; }
    public Colour? Colour { get; init; } = Streams.Colour.DarkBlue;
    public Money Money { get; init; } = new(0);
    public Pair Pair { get; init; } = new(0, "");

    [JsonConverter(typeof(UnixMsConverter))]
    public DateTimeOffset At { get; init; }

    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public long AsString { get; init; }

    [JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
    public double Real { get; init; }

    [JsonPropertyOrder(-1)]
    public string First { get; init; } = "";

    public int Computed => First.Length;

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Rest { get; set; }
}

public enum UnsignedEnum : ulong
{
    None,
    Most = ulong.MaxValue,
}

[JsonConverter(typeof(MoneyConverter))]
public sealed record Money(decimal Amount);

[JsonConverter(typeof(PairConverter))]
public sealed record Pair(int Number, string Text);

[JsonPolymorphic]
[JsonDerivedType(typeof(Circle), "circle")]
[JsonDerivedType(typeof(Square), "square")]
public abstract record Shape(string Name);

public sealed record Circle(string Name, double Radius, string? EventId) : Shape(Name);

public sealed record Square(string Name, int Side) : Shape(Name);

internal sealed class MoneyConverter : JsonConverter<Money>
{
    public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetDecimal());

    public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Amount);
}

internal sealed class PairConverter : JsonConverter<Pair>
{
    public override Pair Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Read();
        var number = reader.GetInt32();
        reader.Read();
        var text = reader.GetString()!;
        reader.Read();
        return new(number, text);
    }

    public override void Write(Utf8JsonWriter writer, Pair value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteNumberValue(value.Number);
        writer.WriteStringValue(value.Text);
        writer.WriteEndArray();
    }
}

internal sealed class UnixMsConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64());

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
        => writer.WriteNumberValue(value.ToUnixTimeMilliseconds());
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Odd))]
[JsonSerializable(typeof(Shape))]
[JsonSerializable(typeof(Dictionary<string, int>))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
public sealed partial class OddJson : JsonSerializerContext;
