using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using AspireRedis.Coordination.Streams;
using FsCheck;
using FsCheck.Fluent;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>What is read from a stream is what System.Text.Json reads from its own text.</summary>
public sealed class StreamRoundTripTests
{
    private static readonly string[] s_texts = ["", "x", "12", "-7", "true", "null", "1.50", "{\"a\":1}", "[", "\"", "a\nb\0", "Stühle 🪑",
        " 5 ", "EUR", "DarkBlue"];

    [Fact]
    public void Any_event_comes_back_as_it_was()
        => Check.QuickThrowOnFailure(Prop.ForAll(Odds().ToArbitrary(), value => Equal(value, OddJson.Default.Odd)));

    public static TheoryData<string, Odd> Known => new()
    {
        { "a string where anything may be", new Odd { Note = "n", Element = JsonSerializer.SerializeToElement("5"),
            Node = JsonValue.Create("6"), Anything = "7" } },
        { "a number where anything may be", new Odd { Note = "n", Element = JsonSerializer.SerializeToElement(5),
            Node = JsonValue.Create(6), Anything = 7 } },
        { "an object where anything may be", new Odd { Note = "n", Element = JsonDocument.Parse("""{"a":[1,null]}""").RootElement,
            Node = new JsonObject { ["b"] = null } } },
        { "null where the default is another", new Odd { Note = "n", Currency = null, Count = null, Colour = null } },
        { "null that is required", new Odd { Note = null } },
        { "numbers that .NET has no code for", new Odd { Note = "n", Half = (Half)1.5, Huge = Int128.MaxValue, Bits = UnsignedEnum.Most } },
        { "converters", new Odd { Note = "n", Money = new(49.90m), Pair = new(1, "two"),
            At = DateTimeOffset.FromUnixTimeMilliseconds(1767225600123) } },
        { "numbers as strings", new Odd { Note = "n", AsString = 12, Real = double.NaN } },
        { "properties that the contract does not list", new Odd { Note = "n",
            Rest = new() { ["event_id"] = JsonSerializer.SerializeToElement("mine"), ["x"] = JsonSerializer.SerializeToElement(1) } } },
    };

    [Theory]
    [MemberData(nameof(Known), DisableDiscoveryEnumeration = true)]
    public void What_used_to_change_does_not(string what, Odd value)
    {
        Assert.NotEmpty(what);
        Assert.True(Equal(value, OddJson.Default.Odd), what);
    }

    [Fact]
    public void So_does_an_event_of_a_derived_type_a_dictionary_and_a_node()
    {
        Assert.True(Equal<Shape>(new Circle("c", 1.5, null), OddJson.Default.Shape));
        Assert.True(Equal<Shape>(new Square("s", 2), OddJson.Default.Shape));
        Assert.True(Equal(new Dictionary<string, int> { ["a"] = 1, ["event_type"] = 2 }, OddJson.Default.DictionaryStringInt32));
        Assert.True(Equal(new JsonObject { ["a"] = "1", ["b"] = null }, OddJson.Default.JsonObject));
    }

    [Fact]
    public void Readable_fields_are_enough_where_they_tell_the_value()
    {
        Assert.DoesNotContain("event_json", Fields(new StreamTopic<Line>("k", "line", 1, EverythingJson.Default.Line),
            new Line("xyz123", 2, 49.90m)).Keys);
        var fields = Fields(new StreamTopic<Line>("k", "line", 1, EverythingJson.Default.Line), new Line("xyz123", 2, null));
        // And no more than they do not tell.
        Assert.Equal(("""{"price":null}""", "xyz123", "2"), (fields["event_json"], fields["sku"], fields["quantity"]));
    }

    [Fact]
    public void Entries_of_earlier_versions_are_read_from_their_readable_fields()
    {
        var entry = new StreamEntry("1-1", [new("event_type", "line"), new("schema_version", 1), new("sku", "xyz123"), new("quantity", 2)]);
        Assert.True(RecordedEvent.From([entry]).Single().TryDecode(new StreamTopic<Line>("k", "line", 1, EverythingJson.Default.Line),
            out var line));
        Assert.Equal(new Line("xyz123", 2, null), line);
    }

    private static Gen<Odd> Odds()
    {
        var text = Gen.Elements(s_texts);
        var leaf = Gen.OneOf(
            text.Select(t => JsonValue.Create(t).ToJsonString()), Gen.Choose(-100, 100).Select(n => $"{n}"),
            Gen.Elements("true", "null", "1.50", "1e400"));
        var json = Gen.OneOf(leaf, leaf.ListOf().Select(l => $"[{string.Join(',', l)}]"), leaf.Select(l => $$"""{"a":{{l}}}"""));
        return
            from element in json
            from any in json
            from anything in json
            from rest in json
            from texts in text.Or(Gen.Constant<string>(null!)).ArrayOf(3)
            from numbers in Gen.Choose(-1000, 1000).ArrayOf(6)
            from hasRest in Gen.Elements(true, false)
            select new Odd
            {
                Element = JsonDocument.Parse(element).RootElement,
                Node = JsonNode.Parse(any),
                Anything = JsonDocument.Parse(anything).RootElement,
                Currency = texts[0],
                Note = texts[1],
                First = texts[2] ?? "",
                Count = numbers[0] < 0 ? null : numbers[0],
                Half = (Half)(numbers[1] / 4.0),
                Huge = (Int128)numbers[2] * long.MaxValue,
                Bits = numbers[3] < 0 ? UnsignedEnum.Most : UnsignedEnum.None,
                Colour = (numbers[4] & 3) switch { 0 => null, 1 => Colour.Red, 2 => Colour.DarkBlue, _ => (Colour)17 },
                Money = new(numbers[5] / 100m),
                Pair = new(numbers[5], texts[2] ?? ""),
                At = DateTimeOffset.FromUnixTimeMilliseconds(numbers[4]),
                AsString = numbers[3],
                Real = numbers[1] < 0 ? double.NaN : numbers[1],
                Rest = hasRest ? new() { [texts[0] ?? "extra"] = JsonDocument.Parse(rest).RootElement } : null,
            };
    }

    /// <summary>Whether the stream gives back what JSON gives back.</summary>
    private static bool Equal<T>(T value, JsonTypeInfo<T> json)
        where T : class
    {
        var topic = new StreamTopic<T>("k", "odd", 1, json);
        var entry = new StreamEntry("1-1",
            [.. Fields(topic, value).Select(f => new NameValueEntry(f.Key, System.Text.Encoding.UTF8.GetBytes(f.Value)))]);
        var recorded = RecordedEvent.From([entry]).Single();
        var text = JsonSerializer.Serialize(value, json);
        return recorded.TryDecode(topic, out var read)
            && recorded.EventId == "own-id"
            && JsonSerializer.Serialize(read, json) == JsonSerializer.Serialize(JsonSerializer.Deserialize(text, json)!, json);
    }

    /// <summary>The fields of the entry; no two have one name.</summary>
    private static Dictionary<string, string> Fields<T>(StreamTopic<T> topic, T value)
        where T : class
    {
        var producer = new StreamProducer(new(() => throw new NotSupportedException(), () => throw new NotSupportedException()),
            TimeProvider.System);
        using var append = producer.PrepareAppend(topic, value, "own-id");
        var fields = append.Fields.Chunk(2).Select(f => new KeyValuePair<string, string>(f[0]!, f[1]!)).ToList();
        Assert.Equal(fields.Count, fields.DistinctBy(f => f.Key).Count());
        return fields.ToDictionary();
    }
}
