using System.Text.Json.Serialization;

namespace AspireRedis.Benchmarks;

/// <summary>One number of a benchmark; <see cref="Target"/> is in words, such as <c>at most 1.25</c>.</summary>
internal sealed record Measurement(string Name, double Value, string Unit, string Target);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(IReadOnlyList<Measurement>))]
internal sealed partial class MeasurementJson : JsonSerializerContext;
