using System.Text.Json.Serialization;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>One write in the file.</summary>
/// <param name="Region">Where it was made.</param>
/// <param name="Epoch">Under which permission.</param>
/// <param name="Server">The server.</param>
/// <param name="Encoding">How <paramref name="Command"/> is written: <c>utf-8</c>, or <c>base64</c> where it is no text.</param>
/// <param name="Command">The command and its arguments.</param>
internal sealed record LostWrite(string Region, long Epoch, string Server, string Encoding, string[] Command);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LostWrite))]
internal sealed partial class LostWriteJson : JsonSerializerContext;
