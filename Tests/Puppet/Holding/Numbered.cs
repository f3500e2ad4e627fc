using System.Globalization;
using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Puppet.Holding;

/// <summary>The event that a puppet and the tests exchange.</summary>
public sealed record Numbered(int Number)
{
    public static StreamTopic<Numbered> Topic(string key) => new(key, "numbered", 1, NumberedJson.Default.Numbered);

    /// <summary>Divided by the last digit of the number.</summary>
    public static StreamTopic<Numbered> Topic(string key, int partitions)
        => Topic(key).Partitioned(
            new StreamPartitions("numbers", partitions), n => (n.Number % 10).ToString(CultureInfo.InvariantCulture));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Numbered))]
public sealed partial class NumberedJson : JsonSerializerContext;
