using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Coordination.Tests.Victim;

/// <summary>The event that the victim and the tests exchange.</summary>
public sealed record Numbered(int Number)
{
    public static StreamTopic<Numbered> Topic(string key) => new(key, "numbered", 1, VictimJson.Default.Numbered);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Numbered))]
public sealed partial class VictimJson : JsonSerializerContext;
