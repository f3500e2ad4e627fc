namespace AspireRedis.Inventory;

/// <summary>Names this assembly, for example to <c>WebApplicationFactory</c>.</summary>
public sealed class InventoryApi;
