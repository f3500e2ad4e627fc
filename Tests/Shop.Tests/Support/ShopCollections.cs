namespace AspireRedis.Shop.Tests.Support;

/// <summary>A system that stays as it is: tests use their own SKUs.</summary>
public sealed class ShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    // Some tests end instances of their own, and what they had pending must be taken over soon.
    public async Task InitializeAsync() => Shop = await ShopSystem.StartAsync(null,
        KeyValuePair.Create("Consumer__MinIdle", (string?)"00:00:02"));

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

/// <summary>A system whose services and servers tests stop and kill; each test leaves it whole.</summary>
public sealed class FaultyShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    // What a dead consumer left is taken over after this time.
    public async Task InitializeAsync() => Shop = await ShopSystem.StartAsync(
        null,
        KeyValuePair.Create("Consumer__MinIdle", (string?)"00:00:02"),
        // An outage may last longer than the default; then what was reserved before it could not be ordered any more.
        KeyValuePair.Create("Reservations__HoldFor", (string?)"00:10:00"));

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

[CollectionDefinition(Name)]
public sealed class ShopCollection : ICollectionFixture<ShopFixture>
{
    public const string Name = "shop";
}

[CollectionDefinition(Name)]
public sealed class FaultyShopCollection : ICollectionFixture<FaultyShopFixture>
{
    public const string Name = "faulty shop";
}
