using System.Text.Json.Serialization;

namespace AspireRedis.Inventory.Live;

[JsonSerializable(typeof(string))]
internal sealed partial class ChangeJson : JsonSerializerContext;
