using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>An event as large as the shop's <c>OrderPlaced</c>; <see cref="At"/> is the monotonic clock at the append.</summary>
internal sealed record BenchmarkEvent(string OrderId, string UserId, decimal TotalCost, long At)
{
    public const string AtField = "at";

    public static StreamTopic<BenchmarkEvent> Topic(string key)
        => new(key, "benchmark-event", 1, BenchmarkEventJson.Default.BenchmarkEvent);

    public static BenchmarkEvent Now(long number) => new($"order-{number}", "88", 49.90m, System.Diagnostics.Stopwatch.GetTimestamp());
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BenchmarkEvent))]
internal sealed partial class BenchmarkEventJson : JsonSerializerContext;
