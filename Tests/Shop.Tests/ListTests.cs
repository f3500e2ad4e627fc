using System.Net;
using System.Net.Http.Json;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests;

/// <summary>The lists of products and of a customer's orders.</summary>
[Collection(ShopCollection.Name)]
public sealed class ListTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task Products_are_paged_without_gap_or_repeat_while_others_are_added()
    {
        var prefix = $"page{Guid.NewGuid():N}-";
        string[] skus = [.. Enumerable.Range(0, 10).Select(i => $"{prefix}{i * 10:000}")];
        // In another order than they are listed.
        foreach (var sku in skus.Reverse())
        {
            await _shop.PutProductAsync(sku, stock: 1);
        }
        List<string> seen = [];
        var cursor = prefix;
        while (true)
        {
            var page = await ProductsAsync(_shop.Inventory, 3, cursor);
            var own = page.Products.TakeWhile(p => p.Sku.StartsWith(prefix, StringComparison.Ordinal)).Select(p => p.Sku).ToList();
            seen.AddRange(own);
            if (own.Count < page.Products.Count || page.Next is null)
            {
                break;
            }
            Assert.Equal(own[^1], page.Next);
            // One behind the reader and one in front of him.
            await _shop.PutProductAsync($"{prefix}{(seen.Count * 10) - 15:000}", stock: 1);
            await _shop.PutProductAsync($"{prefix}{(seen.Count * 10) + 95:000}", stock: 1);
            cursor = page.Next;
        }
        Assert.Equal(seen.Distinct(), seen);
        Assert.Equal(seen.Order(StringComparer.Ordinal), seen);
        Assert.Empty(skus.Except(seen));
        var all = await ProductsAsync(_shop.Inventory, 100, prefix);
        Assert.Equal(new ProductState(skus[0], "Chair", 49.90m, 1), all.Products[0]);
    }

    [Fact]
    public async Task A_sale_and_a_new_price_are_seen_by_all_instances()
    {
        // Long after this test, unless a message comes.
        var other = await _shop.StartAnotherAsync(ShopSystem.InventoryApi, new("ReadCache__MaxStaleness", "00:10:00"),
            new("ReadCache__MaxStalenessWithoutStore", "01:00:00"));
        var sku = $"sold{Guid.NewGuid():N}";
        await _shop.PutProductAsync(sku, stock: 5);
        foreach (var api in new[] { _shop.Inventory, other.Http })
        {
            await Eventually.HoldsAsync(async () => Assert.Equal(5, (await FindAsync(api, sku)).Stock), "The product is listed");
        }

        await _shop.PlaceOrderAsync(OrderRequest.For(sku));

        foreach (var api in new[] { _shop.Inventory, other.Http })
        {
            await Eventually.HoldsAsync(async () => Assert.Equal(4, (await FindAsync(api, sku)).Stock), "The sale is seen",
                TimeSpan.FromSeconds(4));
        }

        await _shop.PutProductAsync(sku, stock: 4, price: 39.90m);

        // At once where it was written.
        Assert.Equal(39.90m, (await FindAsync(_shop.Inventory, sku)).Price);
        await Eventually.HoldsAsync(async () => Assert.Equal(39.90m, (await FindAsync(other.Http, sku)).Price), "The price is seen",
            TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task Products_of_an_earlier_version_get_into_the_list()
    {
        var sku = $"early{Guid.NewGuid():N}";
        await _shop.Database.HashSetAsync($"product:{{{sku}}}", [new("name", "Chair"), new("price", "49.90"), new("stock", 5)]);
        await _shop.Database.KeyDeleteAsync("products:indexed");

        var other = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);

        await Eventually.HoldsAsync(async () => Assert.Equal(5, (await FindAsync(other.Http, sku)).Stock), "The product is listed");
        // Neither reservations nor what a failed PUT has left.
        await _shop.Database.SortedSetAddAsync("products:by-sku", $"{sku}-x", 0);
        Assert.DoesNotContain((await ProductsAsync(other.Http, 100, $"{sku}-")).Products, p => p.Sku == $"{sku}-x");
    }

    [Fact]
    public async Task A_customers_orders_are_paged_newest_first_while_others_are_placed_and_deleted()
    {
        var customer = $"customer {Guid.NewGuid():N}";
        var sku = await _shop.NewProductAsync(stock: 100);
        List<string> placed = [];
        for (var i = 0; i < 5; i++)
        {
            placed.Add((await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: customer))).OrderId);
        }
        var newestFirst = Enumerable.Reverse(placed).ToList();

        var first = await OrdersAsync(customer, 2);
        await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: customer));
        // As the retention does.
        await _shop.Database.ListRemoveAsync($"customer:{{{customer}}}:orders", placed[0]);
        var second = await OrdersAsync(customer, 2, first.Next);

        Assert.Equal(newestFirst[..2], first.Orders.Select(o => o.OrderId));
        Assert.Equal(newestFirst[2..4], second.Orders.Select(o => o.OrderId));
        Assert.Null(second.Next);
        Assert.All(first.Orders, o => Assert.Equal((customer, 49.90m, sku), (o.UserId, o.Total, Assert.Single(o.Lines).Sku)));
        await Eventually.HoldsAsync(async () =>
        {
            var all = await OrdersAsync(customer, 100);
            Assert.Equal(5, all.Orders.Count);
            Assert.All(all.Orders, o => Assert.Equal("confirmed", o.Status));
        }, "The new order is listed, and where the orders stand");

        // Of an order that is gone.
        using var gone = await _shop.Orders.GetAsync($"/orders?userId={Uri.EscapeDataString(customer)}&cursor=0-{placed[0]}");
        Assert.Equal(["cursor"], (await gone.AssertProblemAsync(HttpStatusCode.BadRequest)).ErrorKeys());
        Assert.Empty((await OrdersAsync("nobody", 2)).Orders);
    }

    [Fact]
    public async Task An_erased_customer_has_no_orders_in_the_list_nor_in_the_cache()
    {
        var customer = $"customer {Guid.NewGuid():N}";
        var sku = await _shop.NewProductAsync(stock: 1);
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: customer));
        await _shop.AssertConfirmedAndMailedOnceAsync(order.OrderId);
        await _shop.WaitUntilSettledAsync();
        await Eventually.HoldsAsync(async () => Assert.Equal("confirmed", Assert.Single((await OrdersAsync(customer, 20)).Orders).Status),
            "The order is listed");
        Assert.Contains(customer, (string?)await _shop.Database.HashGetAsync($"cache:v2:orders:order:{order.OrderId}", "data"),
            StringComparison.Ordinal);

        using var erased = await _shop.Orders.PostAsJsonAsync("/customers/erasures", new { userId = customer });
        Assert.True(erased.IsSuccessStatusCode, await erased.Content.ReadAsStringAsync());

        await Eventually.HoldsAsync(async () => Assert.Empty((await OrdersAsync(customer, 20)).Orders), "The list is empty");
        // Read again since, without him.
        var cached = (string?)await _shop.Database.HashGetAsync($"cache:v2:orders:order:{order.OrderId}", "data") ?? "";
        Assert.DoesNotContain(customer, cached, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("products?limit=0", "limit")]
    [InlineData("products?limit=101", "limit")]
    [InlineData("products?limit=-1", "limit")]
    [InlineData("products?limit=many", "limit")]
    [InlineData("products?limit=99999999999", "limit")]
    [InlineData("products?limit=", "limit")]
    [InlineData("products?limit=1&limit=2", "limit")]
    [InlineData("products?cursor=", "cursor")]
    [InlineData("products?cursor=a%20b", "cursor")]
    [InlineData("products?cursor=%5B%0A", "cursor")]
    [InlineData("orders", "userId")]
    [InlineData("orders?userId=", "userId")]
    [InlineData("orders?userId=a%0Ab", "userId")]
    [InlineData("orders?userId=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "userId")]
    [InlineData("orders?userId=88&limit=0", "limit")]
    [InlineData("orders?userId=88&limit=1e1", "limit")]
    [InlineData("orders?userId=88&cursor=1", "cursor")]
    [InlineData("orders?userId=88&cursor=-1-00000000000000000000000000000000", "cursor")]
    [InlineData("orders?userId=88&cursor=99999999999-00000000000000000000000000000000", "cursor")]
    [InlineData("orders?userId=88&cursor=1-00000000000000000000000000000000", "cursor")]
    public async Task A_bad_page_is_refused_with_a_reason(string query, string reason)
    {
        var api = query.StartsWith("orders", StringComparison.Ordinal) ? _shop.Orders : _shop.Inventory;
        using var response = await api.GetAsync($"/{query}");
        Assert.Equal([reason], (await response.AssertProblemAsync(HttpStatusCode.BadRequest)).ErrorKeys());
    }

    private static async Task<ProductPageState> ProductsAsync(HttpClient inventory, int limit, string cursor)
        => (await inventory.GetFromJsonAsync<ProductPageState>($"/products?limit={limit}&cursor={cursor}"))!;

    /// <summary>The product in the list.</summary>
    private static async Task<ProductState> FindAsync(HttpClient inventory, string sku)
        // No other begins like this one.
        => Assert.Single((await ProductsAsync(inventory, 1, sku[..^1])).Products, p => p.Sku == sku);

    private async Task<OrderPageState> OrdersAsync(string customer, int limit, string? cursor = null)
        => (await _shop.Orders.GetFromJsonAsync<OrderPageState>(
            $"/orders?userId={Uri.EscapeDataString(customer)}&limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}"))!;
}
