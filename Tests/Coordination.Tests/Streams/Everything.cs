using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>An event with a property of every JSON kind.</summary>
public sealed record Everything
{
    public required string Text { get; init; }
    public required string Empty { get; init; }
    public required int Number { get; init; }
    public required long Large { get; init; }
    public required decimal Price { get; init; }
    public required double Real { get; init; }
    public required bool Flag { get; init; }
    public required char Letter { get; init; }
    public required Colour Colour { get; init; }
    public required NumericColour NumericColour { get; init; }
    public string? AbsentText { get; init; }
    public int? AbsentNumber { get; init; }
    public int? PresentNumber { get; init; }
    public Colour? PresentColour { get; init; }
    public required Guid Id { get; init; }
    public Guid? PresentId { get; init; }
    public required DateTimeOffset At { get; init; }
    public required DateTime Utc { get; init; }
    public required DateOnly Day { get; init; }
    public required TimeSpan Span { get; init; }
    public required Uri Link { get; init; }
    public required byte[] Bytes { get; init; }
    public required IReadOnlyList<Line> Lines { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required IReadOnlyDictionary<string, int> Stock { get; init; }
    public required Line Nested { get; init; }
}

public sealed record Line(string Sku, int Quantity, decimal? Price);

[JsonConverter(typeof(JsonStringEnumConverter<Colour>))]
public enum Colour
{
    Red,
    DarkBlue,
}

public enum NumericColour
{
    Red,
    DarkBlue,
}

/// <summary>Takes the name of a metadata field.</summary>
public sealed record Clashing(string EventId);

/// <summary>The same stream as <see cref="Everything"/> seen by somebody who demands more.</summary>
public sealed record Demanding(string Text)
{
    public required string Added { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Everything))]
[JsonSerializable(typeof(Clashing))]
[JsonSerializable(typeof(Line))]
[JsonSerializable(typeof(Demanding))]
[JsonSerializable(typeof(List<int>))]
public sealed partial class EverythingJson : JsonSerializerContext
{
    public static StreamTopic<Everything> Topic(string key) => new(key, "everything", 3, Default.Everything);
}
