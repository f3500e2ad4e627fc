using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class LiveUpdateTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_product_is_told_with_every_change_and_after_a_reconnect_nothing_is_missing()
    {
        var (sku, other) = (await _shop.NewProductAsync(stock: 5), await _shop.NewProductAsync(stock: 5));
        string? last;
        await using (var stream = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={sku}"))
        {
            await stream.WaitForAsync(s => s.StocksOf(sku) is [5], "the product comes first");
            Assert.Equal("start", Assert.Single(stream.Data("reset")).GetProperty("reason").GetString());
            await _shop.PlaceOrderAsync(OrderRequest.For(sku));
            await stream.WaitForAsync(s => s.StocksOf(sku) is [5, 4], "the order is seen");
            Assert.Empty(stream.StocksOf(other));
            var product = stream.Data("product")[^1];
            Assert.Equal(("Chair", 49.90m), (product.GetProperty("name").GetString(), product.GetProperty("price").GetDecimal()));
            last = stream.LastEventId;
        }
        await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.PutProductAsync(sku, stock: 9, name: "Stool");

        // By way of the other service, which a page has for its origin.
        await using var again = await EventStream.OpenAsync(_shop.Orders, $"/products/stream?sku={sku}", last);
        await again.WaitForAsync(s => s.StocksOf(sku) is [.., 9], "what has changed meanwhile comes");
        Assert.Empty(again.Data("reset"));
        Assert.Equal("Stool", again.Data("product")[^1].GetProperty("name").GetString());
    }

    [Fact]
    public async Task An_order_is_told_from_placed_to_mailed_and_resumes_behind_any_of_its_events()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        var path = $"/orders/{order.OrderId}/stream";

        await using (var stream = await EventStream.OpenAsync(_shop.Orders, path))
        {
            await stream.WaitForAsync(s => s.Reading.IsCompleted, "the stream ends by itself");
            Assert.Equal(["placed", "confirmed", "mailed"], stream.Statuses());
            Assert.Equal("complete", Assert.Single(stream.Data("end")).GetProperty("reason").GetString());
            Assert.Equal("3", stream.LastEventId);
        }
        await using (var resumed = await EventStream.OpenAsync(_shop.Orders, path, "1"))
        {
            await resumed.WaitForAsync(s => s.Reading.IsCompleted, "the stream ends by itself");
            Assert.Equal(["confirmed", "mailed"], resumed.Statuses());
        }
        using var nothing = await EventStream.SendAsync(_shop.Orders, path, "3");
        Assert.Equal(HttpStatusCode.NoContent, nothing.StatusCode);
        await using var unknown = await EventStream.OpenAsync(_shop.Orders, path, "17");
        await unknown.WaitForAsync(s => s.Reading.IsCompleted, "the stream ends by itself");
        Assert.Equal("reset", unknown.Events[0].EventType);
        Assert.Equal(["placed", "confirmed", "mailed"], unknown.Statuses());
    }

    [Theory]
    [InlineData("products/stream", "nonsense")]
    [InlineData("products/stream", "1-2")]
    [InlineData("products/stream", "1-2-zzzz")]
    [InlineData("products/stream", "99999999999999999999-0-abcd")]
    [InlineData("products/stream?sku=%2F", null)]
    [InlineData("orders/ORDER/stream", "0")]
    [InlineData("orders/ORDER/stream", "-1")]
    [InlineData("orders/ORDER/stream", "99999999999")]
    public async Task What_cannot_be_an_event_id_is_refused(string path, string? id)
    {
        var api = path.StartsWith("orders", StringComparison.Ordinal) ? _shop.Orders : _shop.Inventory;
        using var response = await EventStream.SendAsync(
            api, $"/{path.Replace("ORDER", new string('0', 32), StringComparison.Ordinal)}", id);
        var problem = await response.AssertProblemAsync(HttpStatusCode.BadRequest);
        Assert.Single(problem.ErrorKeys());
    }

    [Fact]
    public async Task An_unknown_order_has_no_stream()
    {
        using var response = await EventStream.SendAsync(_shop.Orders, $"/orders/{new string('0', 32)}/stream", null);
        await response.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownOrder);
    }

    [Theory]
    [InlineData("1-0-abcd", "too-old")]
    [InlineData("18446744073709551615-0-abcd", "unknown")]
    public async Task An_event_id_that_the_stream_does_not_have_gets_everything_anew(string id, string reason)
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        await using var stream = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={sku}", id);
        await stream.WaitForAsync(s => s.StocksOf(sku) is [5], "the product comes");
        Assert.Equal(reason, Assert.Single(stream.Data("reset")).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Many_browsers_have_one_connection_to_Redis()
    {
        var sku = await _shop.NewProductAsync(stock: 50);
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await using var inventory = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);
        await Eventually.TrueAsync(async () => await TailsAsync() == 0, "those of earlier tests have lingered", ShopSystem.LongBound);
        var streams = new List<EventStream>();
        try
        {
            for (var i = 0; i < 20; i++)
            {
                streams.Add(await EventStream.OpenAsync(inventory.Http, $"/products/stream?sku={sku}"));
            }
            // Of an order that has not come to its end.
            await _shop.Database.HashDeleteAsync($"order:{{{order.OrderId}}}", "event:3");
            await Task.WhenAll(streams.Select(s => s.WaitForAsync(x => x.StocksOf(sku).Count > 0, "the product comes")));

            Assert.Equal(1, await TailsAsync());
            await _shop.PlaceOrderAsync(OrderRequest.For(sku));
            await Task.WhenAll(streams.Select(s => s.WaitForAsync(x => x.StocksOf(sku) is [.., 48], "all see it")));
        }
        finally
        {
            await Task.WhenAll(streams.Select(s => s.DisposeAsync().AsTask()));
        }

        async Task<int> TailsAsync()
        {
            var clients = (string)(await _shop.Database.ExecuteAsync("CLIENT", "LIST"))!;
            return clients.Split('\n').Count(c => c.Contains("products:changes-tail", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Streams_end_at_once_when_the_service_stops_and_say_so()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        await using var inventory = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);
        await using var stream = await EventStream.OpenAsync(inventory.Http, $"/products/stream?sku={sku}");
        await stream.WaitForAsync(s => s.StocksOf(sku) is [5], "the product comes");
        await inventory.StopAsync();
        await stream.Reading.WaitAsync(ShopSystem.LongBound);
        Assert.Equal("shutdown", Assert.Single(stream.Data("end")).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_reader_who_does_not_read_is_cut_and_holds_nobody_up()
    {
        // With the default of SlowAfter: it is longer than a busy machine keeps the other one from being served.
        await using var inventory = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);
        var sku = await _shop.NewProductAsync(stock: 5);
        await using var quick = await EventStream.OpenAsync(inventory.Http, $"/products/stream?sku={sku}");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(inventory.Http.BaseAddress!.Host, inventory.Http.BaseAddress.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET /products/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        using var bound = new CancellationTokenSource(ShopSystem.LongBound);
        var beginning = new byte[12];
        for (var read = 0; read < beginning.Length;)
        {
            read += await socket.ReceiveAsync(beginning.AsMemory(read), bound.Token);
        }
        Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(beginning));
        var abandoned = Task.Run(async () =>
        {
            // A state for each of many products, so that none replaces another.
            for (var i = 0; !inventory.Process.Output.Contains("is cut", StringComparison.Ordinal); i += 200)
            {
                await Task.WhenAll(Enumerable.Range(i, 200).Select(n => _shop.Database.StreamAddAsync("products:changes",
                    [new("sku", Invariant($"flood-{n}")), new("name", new string('x', 1000)), new("price", "1.00"), new("stock", 1)],
                    maxLength: 10_000, useApproximateMaxLength: true)));
                bound.Token.ThrowIfCancellationRequested();
            }
        });
        await abandoned;

        await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await quick.WaitForAsync(s => s.StocksOf(sku) is [.., 4], "the other one goes on");
        Assert.Empty(quick.Data("end"));

        static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task HEAD_of_a_stream_ends()
    {
        var head = await RawHttp.SendAsync(_shop.Orders.BaseAddress!,
            "HEAD /products/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", head, StringComparison.Ordinal);
    }
}
