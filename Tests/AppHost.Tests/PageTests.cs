using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Aspire.Hosting.Testing;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Testing;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace AspireRedis.AppHost.Tests;

/// <summary>The page at <c>/</c> of Orders.Api in a real browser, against the started AppHost.</summary>
[Collection(nameof(StartedAppHost))]
public sealed class PageTests(StartedAppHost host, Chromium chromium) : IClassFixture<Chromium>
{
    private Uri Page => host.Orders.BaseAddress!;

    [Fact]
    public async Task Who_buys_by_keyboard_sees_the_order_go_to_mailed_and_others_see_the_stock_fall()
    {
        await host.PutAsync("page-chair", 7);
        await using var mine = await OpenAsync();
        await using var other = await OpenAsync();
        var product = Product(mine.Page, "page-chair");
        await Expect(Stock(other.Page, "page-chair")).ToHaveTextAsync("7");

        // From the beginning of the page, with nothing but Tab and Enter; a press finds the focus where it can be seen.
        var buy = product.GetByRole(AriaRole.Button, new() { Name = "Buy one: page-chair" });
        await Expect(buy).ToBeEnabledAsync();
        for (var presses = 0; !await buy.EvaluateAsync<bool>("button => button === document.activeElement"); presses++)
        {
            Assert.True(presses < 60, "Tab does not reach the button.");
            await mine.Page.Keyboard.PressAsync("Tab");
            Assert.Equal("solid 3px", await mine.Page.EvaluateAsync<string>(
                "() => { const s = getComputedStyle(document.activeElement); return `${s.outlineStyle} ${s.outlineWidth}`; }"));
        }
        await mine.Page.Keyboard.PressAsync("Enter");

        await Expect(mine.Page.Locator("#order-list > li").First).ToHaveAttributeAsync("data-status", "mailed");
        await Expect(product.Locator("[data-ref=answer]")).ToHaveTextAsync("Ordered. It is on its way below.");
        // What happened is said, and the focus is where it was.
        await Expect(mine.Page.Locator("#said")).ToContainTextAsync("page-chair");
        Assert.True(await buy.EvaluateAsync<bool>("button => button === document.activeElement"));
        await Expect(Stock(mine.Page, "page-chair")).ToHaveTextAsync("6");
        await Expect(Stock(other.Page, "page-chair")).ToHaveTextAsync("6");
        Assert.Equal(6, await host.StockAsync("page-chair"));

        // The order is there after a reload too.
        await mine.Page.ReloadAsync();
        await Expect(mine.Page.Locator("#order-list > li")).ToHaveCountAsync(1);
        mine.AssertQuiet();
        other.AssertQuiet();
    }

    [Fact]
    public async Task A_flash_sale_sells_each_of_the_last_items_once_and_shows_who_got_one()
    {
        await host.PutAsync("page-sofa", 3);
        await using var opened = await OpenAsync();
        var page = opened.Page;
        await Expect(Stock(page, "page-sofa")).ToHaveTextAsync("3");
        await page.GetByLabel("Product", new() { Exact = true }).SelectOptionAsync("page-sofa");
        await page.GetByLabel("Buyers", new() { Exact = true }).FillAsync("50");
        await page.GetByRole(AriaRole.Button, new() { Name = "Start the sale" }).ClickAsync();

        await Expect(page.Locator("#sale-result")).ToHaveTextAsync(
            new Regex("^3 of 50 buyers got page-sofa, 47 came too late\\. It took [0-9.]+ m?s\\.$"));
        await Expect(page.Locator("#sale-buyers-list > [data-outcome=got]")).ToHaveCountAsync(3);
        await Expect(page.Locator("#sale-buyers-list > [data-outcome=late]")).ToHaveCountAsync(47);
        await Expect(Stock(page, "page-sofa")).ToHaveTextAsync("0");
        await Expect(page.Locator("#order-list > [data-status=mailed]")).ToHaveCountAsync(3);
        await Expect(Product(page, "page-sofa").GetByRole(AriaRole.Button)).ToHaveAttributeAsync("aria-disabled", "true");
        // Nobody is told of 47 conflicts by the console but the browser itself.
        opened.AssertQuiet(allowed: "status of 409");
    }

    [Fact]
    public async Task The_inside_shows_who_holds_a_lease_who_waits_the_groups_and_the_servers()
    {
        await host.PutAsync("page-lamp", 5);
        await using var redis = await RedisDeployment.ConnectAsync((await host.App.GetConnectionStringAsync("redis"))!);
        await using var leases = new RedisLeaseProvider(redis);
        await using var opened = await OpenAsync();
        var page = opened.Page;
        var lease = page.Locator("#leases tbody tr", new() { HasText = "inventory_lock:{page-lamp}" });
        await Expect(lease.Locator("td").First).ToContainTextAsync("free");

        string orderId;
        await using (var held = await leases.AcquireAsync("inventory_lock:{page-lamp}"))
        {
            await Expect(lease.Locator("td").First).ToContainTextAsync($"token {held.FencingToken}");
            var buying = host.PlaceAsync("page-1", "page-lamp");
            await Expect(lease.Locator("td").Last).ToContainTextAsync("1");
            Assert.False(buying.IsCompleted);
            await held.DisposeAsync();
            orderId = await buying;
        }
        await Expect(lease.Locator("td").First).ToContainTextAsync("free");
        await host.ConfirmedAsync(orderId);

        foreach (var group in new[] { "payments", "sales", "mailers" })
        {
            var row = page.Locator("#groups tbody tr", new() { HasText = group });
            // No lag and nothing pending, once all is done.
            await Expect(row.Locator("td").Nth(0)).ToHaveTextAsync("0");
            await Expect(row.Locator("td").Nth(1)).ToHaveTextAsync("0");
        }
        await Expect(page.Locator("#servers tbody tr").First).ToContainTextAsync("primary");
        await Expect(page.Locator("#servers [data-role=replica]")).ToHaveCountAsync(2);
        await Expect(page.Locator("#sentinels")).ToHaveTextAsync("3 Sentinels answer.");
        await Expect(page.Locator("#failover")).ToHaveTextAsync(new Regex("^(None since|Failover at|Planned switchover at)"));
        await Expect(page.Locator("#region")).ToBeHiddenAsync();
        opened.AssertQuiet();

        // The same for programs.
        var system = await host.Orders.GetFromJsonAsync<JsonElement>("/system");
        Assert.True(system.GetProperty("isRedisReached").GetBoolean());
        Assert.InRange(system.GetProperty("leases").GetArrayLength(), 1, 20);
    }

    [Fact]
    public async Task It_is_legible_to_all_on_a_phone_and_on_a_desk_in_light_and_in_dark()
    {
        var pictures = Path.Combine(Repository.Root, Environment.GetEnvironmentVariable("PAGE_PICTURES") ?? "artifacts/page");
        Directory.CreateDirectory(pictures);
        foreach (var (name, colours, width, height) in new[]
        {
            ("light", ColorScheme.Light, 1280, 1000), ("dark", ColorScheme.Dark, 1280, 1000), ("phone", ColorScheme.Light, 360, 800),
        })
        {
            await host.CommandAsync("inventory-api", "seed");
            await using var opened = await OpenAsync(colours, width, height);
            var page = opened.Page;
            var product = Product(page, "chair");
            await product.GetByRole(AriaRole.Button, new() { Name = "Buy one: Chair" }).ClickAsync();
            await Expect(page.Locator("#order-list > [data-status=mailed]")).ToHaveCountAsync(1);
            await page.GetByLabel("Product", new() { Exact = true }).SelectOptionAsync("sofa");
            await page.GetByRole(AriaRole.Button, new() { Name = "Start the sale" }).ClickAsync();
            await Expect(page.Locator("#sale-result")).ToContainTextAsync("It took");
            await Expect(page.Locator("#order-list > [data-status=mailed]")).ToHaveCountAsync(4);
            await Expect(page.Locator("#leases tbody tr").First).ToBeVisibleAsync();

            await page.ScreenshotAsync(new() { Path = Path.Combine(pictures, $"page-{name}.png"), FullPage = true });
            Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"),
                $"{name}: the page scrolls sideways.");
            var dark = await page.EvaluateAsync<int>("() => parseInt(getComputedStyle(document.body).backgroundColor.slice(4))") < 64;
            Assert.Equal(colours == ColorScheme.Dark, dark);
            // Labels, names, contrast, order of headings and some 90 rules more.
            var found = await page.RunAxe();
            Assert.True(found.Violations.Length == 0, string.Join('\n', found.Violations.Select(v =>
                $"{name}: {v.Id}: {v.Help}: {string.Join("; ", v.Nodes.Select(n => n.Html))}")));
            opened.AssertQuiet(allowed: "status of 409");
        }
    }

    [Fact]
    public async Task It_says_what_is_missing_takes_no_HTML_and_comes_back_after_a_lost_connection()
    {
        const string Hostile = "<img src=x onerror=alert(1)>";
        using (var put = await host.Inventory.PutAsJsonAsync("/products/page-hostile", new { name = Hostile, price = 1, stock = 1 }))
        {
            put.EnsureSuccessStatusCode();
        }
        await using var opened = await OpenAsync(prepareAsync: async page =>
        {
            await page.RouteAsync("**/products?*", route => route.AbortAsync());
            await page.RouteAsync("**/products/stream", route => route.AbortAsync());
            await page.RouteAsync("**/system/stream", route => route.FulfillAsync(new()
            {
                ContentType = "text/event-stream",
                Body = "event: system\ndata: " + JsonSerializer.Serialize(new
                {
                    isRedisReached = true,
                    leases = Array.Empty<object>(),
                    groups = Array.Empty<object>(),
                    servers = new[] { new { address = Hostile, role = "primary", state = "up", lagBytes = (long?)null } },
                    sentinels = (int?)null,
                    failover = new { kind = "failover", from = "a:1", to = "b:2", at = DateTimeOffset.UtcNow, isOver = true,
                        blackoutMilliseconds = 3211 },
                    region = new { name = "eu", isActive = false, activeRegion = "us", epoch = 3 },
                }) + "\n\n",
            }));
        });
        var page = opened.Page;
        await Expect(page.Locator("#products-state")).ToContainTextAsync("The products cannot be loaded: ");
        await Expect(page.Locator("#connection")).ToHaveTextAsync("Connection lost, trying again");
        await Expect(page.Locator("#notice")).ToBeVisibleAsync();
        await Expect(page.Locator("#servers tbody th")).ToContainTextAsync(Hostile);
        await Expect(page.Locator("#failover")).ToContainTextAsync("It held this instance up for 3.21 s.");
        await Expect(page.Locator("#region-text")).ToHaveTextAsync("eu is a standby and refuses orders. Active: us (epoch 3).");

        await page.UnrouteAllAsync();
        await Expect(page.Locator("#connection")).ToHaveTextAsync("Live");
        await Expect(page.Locator("#notice")).ToBeHiddenAsync();
        await Expect(Product(page, "page-hostile").Locator("h3")).ToHaveTextAsync(Hostile);
        await Expect(page.Locator("img")).ToHaveCountAsync(0);

        // Too many orders at the moment: it waits for as long as it is told, says so, and the order is placed.
        var refusals = 0;
        await page.RouteAsync("**/orders", route => refusals++ > 0 ? route.ContinueAsync() : route.FulfillAsync(new()
        {
            Status = 429,
            ContentType = "application/problem+json",
            Headers = new Dictionary<string, string> { ["Retry-After"] = "2" },
            Body = "{}",
        }));
        var product = Product(page, "page-hostile");
        await product.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(product.Locator("[data-ref=answer]")).ToHaveTextAsync("Too many orders at the moment: trying again in 2 s.");
        await Expect(product.Locator("[data-ref=answer]")).ToHaveTextAsync("Ordered. It is on its way below.");
    }

    [Fact]
    public async Task It_comes_with_a_policy_that_permits_nothing_from_elsewhere_and_no_code_in_the_page()
    {
        using var answer = await host.Orders.GetAsync(new Uri("/", UriKind.Relative));
        answer.EnsureSuccessStatusCode();
        Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
    }

    private static ILocator Product(IPage page, string sku)
        => page.Locator("#product-list > li",
            new() { Has = page.Locator("[data-ref=sku]", new() { HasTextRegex = new Regex($"^{sku}$") }) });

    private static ILocator Stock(IPage page, string sku) => Product(page, sku).Locator("[data-ref=stock]");

    private async Task<Opened> OpenAsync(
        ColorScheme colours = ColorScheme.Light, int width = 1280, int height = 900, Func<IPage, Task>? prepareAsync = null)
    {
        var context = await chromium.NewContextAsync(colours, width, height);
        var page = await context.NewPageAsync();
        var opened = new Opened(context, page, Page);
        if (prepareAsync is not null)
        {
            await prepareAsync(page);
        }
        var answer = await page.GotoAsync(Page.ToString());
        Assert.True(answer!.Ok, $"{Page} answers {answer.Status}.");
        return opened;
    }

    /// <summary>A page in a browser of its own, and what should not have been on the way.</summary>
    private sealed class Opened : IAsyncDisposable
    {
        private readonly IBrowserContext _context;
        private readonly ConcurrentQueue<string> _complaints = new();

        public Opened(IBrowserContext context, IPage page, Uri own)
        {
            _context = context;
            Page = page;
            page.PageError += (_, error) => _complaints.Enqueue(error);
            page.Console += (_, message) =>
            {
                if (message.Type is "error" or "warning")
                {
                    _complaints.Enqueue(message.Text);
                }
            };
            page.Request += (_, request) =>
            {
                if (new Uri(request.Url).Authority != own.Authority)
                {
                    _complaints.Enqueue($"a request to {request.Url}");
                }
            };
        }

        public IPage Page { get; }

        /// <summary>No errors, and nothing was asked for elsewhere.</summary>
        public void AssertQuiet(string? allowed = null)
            => Assert.DoesNotContain(_complaints, c => allowed is null || !c.Contains(allowed, StringComparison.Ordinal));

        public ValueTask DisposeAsync() => _context.DisposeAsync();
    }
}
