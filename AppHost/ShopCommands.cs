using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace AspireRedis.AppHost;

/// <summary>What somebody who tries the shop out needs: products, and a rush on too few of them.</summary>
internal static class ShopCommands
{
    private static readonly (string Sku, string Name, decimal Price, int Stock)[] s_catalogue =
    [
        ("chair", "Chair", 49.90m, 100), ("table", "Table", 199.00m, 20), ("lamp", "Lamp", 24.50m, 200), ("sofa", "Sofa", 899.00m, 3),
    ];

    // Each request is a trace of its own, and not a part of the command's, whose root nobody exports.
    private static readonly HttpClient s_http =
        new(new SocketsHttpHandler { MaxConnectionsPerServer = 64, ActivityHeadersPropagator = null })
        {
            Timeout = TimeSpan.FromSeconds(60),
        };

    /// <summary>Command <c>seed</c>: puts a few products into stock.</summary>
    public static IResourceBuilder<ProjectResource> WithSeedCommand(this IResourceBuilder<ProjectResource> inventory)
        => inventory.WithCommand("seed", "Seed products", async context =>
        {
            foreach (var (sku, name, price, stock) in s_catalogue)
            {
                await PutAsync(inventory, sku, name, price, stock, context.CancellationToken);
                context.Logger.LogInformation("{Stock} pieces of {Sku} at {Price}", stock, sku, price);
            }
            return CommandResults.Success(
                $"In stock: {string.Join(", ", s_catalogue.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Stock} of {p.Sku}")))}.");
        }, new CommandOptions
        {
            Description = "Sets name, price and stock of chair, table, lamp and sofa.",
            IconName = "BoxMultiple",
            UpdateState = WhenHealthy,
        });

    /// <summary>Command <c>flash-sale</c>: that many buyers at once for that many items, with a table of what became of them.</summary>
    public static IResourceBuilder<ProjectResource> WithFlashSaleCommand(this IResourceBuilder<ProjectResource> orders,
        IResourceBuilder<ProjectResource> inventory)
        => orders.WithCommand("flash-sale", "Flash sale", context => SellAsync(orders, inventory, context), new CommandOptions
        {
            Description = "Many buyers at once for few items; tells who got one and how long it took.",
            IconName = "Flash",
            IsHighlighted = true,
            Arguments =
            [
                new InteractionInput { Name = "buyers", Label = "Buyers", InputType = InputType.Number, Required = true, Value = "100" },
                new InteractionInput { Name = "items", Label = "Items", InputType = InputType.Number, Required = true, Value = "10" },
            ],
            ValidateArguments = context =>
            {
                foreach (var input in context.Inputs)
                {
                    if (!int.TryParse(input.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                        || number is < 1 or > 1000)
                    {
                        context.AddValidationError(input, $"{input.Label} must be a number from 1 to 1000.");
                    }
                }
                return Task.CompletedTask;
            },
            UpdateState = WhenHealthy,
        });

    private static async Task<ExecuteCommandResult> SellAsync(
        IResourceBuilder<ProjectResource> orders, IResourceBuilder<ProjectResource> inventory, ExecuteCommandContext context)
    {
        var buyers = int.Parse(context.Arguments["buyers"].Value!, CultureInfo.InvariantCulture);
        var items = int.Parse(context.Arguments["items"].Value!, CultureInfo.InvariantCulture);
        // A product of its own each time, so that the count below speaks of this sale alone.
        var sku = $"flash-{Guid.NewGuid():N}"[..14];
        await PutAsync(inventory, sku, "Flash sale", 9.90m, items, context.CancellationToken);

        var answers = new ConcurrentBag<(string Outcome, TimeSpan Took)>();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(1, buyers).Select(BuyAsync));
        var took = clock.Elapsed;
        var left = (await s_http.GetFromJsonAsync<JsonElement>($"{inventory.GetEndpoint("http").Url}/products/{sku}",
            context.CancellationToken)).GetProperty("stock").GetInt32();
        var sold = answers.Count(a => a.Outcome == "got one");

        var table = $"| outcome | buyers | median | longest |\n|---|---:|---:|---:|\n"
            + string.Concat(answers.GroupBy(a => a.Outcome).OrderByDescending(g => g.Count())
            .Select(g => string.Create(CultureInfo.InvariantCulture,
                $"| {g.Key} | {g.Count()} | {Median(g.Select(a => a.Took)).TotalMilliseconds:0} ms | {g.Max(a => a.Took).TotalMilliseconds:0} ms |\n")));
        var summary = string.Create(CultureInfo.InvariantCulture,
            $"{buyers} buyers, {items} items of {sku}: {sold} sold, {left} left, in {took.TotalSeconds:0.0} s.");
        context.Logger.LogInformation("{Summary}", summary);
        foreach (var line in table.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            context.Logger.LogInformation("{Row}", line);
        }
        // An order that was answered with an error may still hold an item until its deadline, so less may be sold; never more.
        return sold + left <= items
            ? CommandResults.Success(summary, $"{summary}\n\n{table}", CommandResultFormat.Markdown, displayImmediately: true)
            : CommandResults.Failure($"Oversold. {summary}", table, CommandResultFormat.Markdown);

        async Task BuyAsync(int buyer)
        {
            var start = clock.Elapsed;
            string outcome;
            try
            {
                using var response = await s_http.PostAsJsonAsync($"{orders.GetEndpoint("http").Url}/orders",
                    new { userId = $"buyer-{buyer}", email = $"buyer-{buyer}@example.org", lines = new[] { new { sku, quantity = 1 } } },
                    context.CancellationToken);
                outcome = (int)response.StatusCode switch
                {
                    201 => "got one",
                    409 => "out of stock (409)",
                    var status => $"status {status}",
                };
            }
            catch (HttpRequestException e)
            {
                outcome = e.HttpRequestError.ToString();
            }
            answers.Add((outcome, clock.Elapsed - start));
        }
    }

    private static async Task PutAsync(
        IResourceBuilder<ProjectResource> inventory, string sku, string name, decimal price, int stock, CancellationToken cancellationToken)
    {
        using var response = await s_http.PutAsJsonAsync($"{inventory.GetEndpoint("http").Url}/products/{sku}", new { name, price, stock },
            cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    private static TimeSpan Median(IEnumerable<TimeSpan> times) => times.Order().ToArray() is var ordered ? ordered[ordered.Length / 2]
        : default;

    private static ResourceCommandState WhenHealthy(UpdateCommandStateContext context)
        => context.ResourceSnapshot.HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy
            ? ResourceCommandState.Enabled
            : ResourceCommandState.Disabled;
}
