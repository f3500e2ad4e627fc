using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>The event that the workers handle.</summary>
public sealed record WorkItem(int Number) : IJsonOnDeserialized
{
    /// <summary>Called for each event that is read, before its handler is.</summary>
    public static Action? Decoded { get; set; }

    public static StreamTopic<WorkItem> Topic(string key) => new(key, "work-item", 1, WorkItemJson.Default.WorkItem);

    void IJsonOnDeserialized.OnDeserialized() => Decoded?.Invoke();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(WorkItem))]
public sealed partial class WorkItemJson : JsonSerializerContext;
