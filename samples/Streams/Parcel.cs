using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace Streams;

/// <summary>The event; each property is a field of the stream's entry.</summary>
internal sealed record Parcel(string Town)
{
    public static StreamTopic<Parcel> Topic { get; } = new("sample:parcels", "parcel", schemaVersion: 1, ParcelContract.Default.Parcel);
}

[JsonSerializable(typeof(Parcel))]
internal sealed partial class ParcelContract : JsonSerializerContext;
