namespace AspireRedis.Inventory;

/// <summary>Identifies this assembly, for example to <c>WebApplicationFactory</c>.</summary>
public sealed class InventoryApi;
