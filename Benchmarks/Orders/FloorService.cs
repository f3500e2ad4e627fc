using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Coordination;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>
/// What an order costs at the least: one endpoint, one script, <c>WAIT 2</c> behind it. With a next service the endpoint
/// calls that one's instead: the floor of two hops.
/// </summary>
internal static class FloorService
{
    public const string Verb = "floor";

    private static readonly RedisScript s_order = RedisScript.Load(typeof(FloorService), "floor-order");

    public static async Task RunAsync(string url, string redis, string? next)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add(url);
        if (next is null)
        {
            var connection = await ConnectionMultiplexer.ConnectAsync(redis);
            var database = connection.GetDatabase();
            app.MapPost("/orders", async (FloorOrder order) => await PlaceAsync(database, order));
        }
        else
        {
            var http = new HttpClient { BaseAddress = new Uri(next) };
            app.MapPost("/orders", async (FloorOrder order) =>
            {
                using var answer = await http.PostAsJsonAsync("/orders", order);
                return Results.StatusCode((int)answer.StatusCode);
            });
        }
        app.MapGet("/health", () => Results.Ok());
        await app.RunAsync();
    }

    private static async Task<IResult> PlaceAsync(IDatabase database, FloorOrder order)
    {
        var id = Guid.CreateVersion7().ToString("N");
        var placing = database.ScriptEvaluateAsync(s_order.Text,
            [$"product:{{{order.Lines[0].Sku}}}", $"floor:order:{{{id}}}", "floor:events"],
            [order.Lines[0].Quantity, order.UserId, order.Email, JsonSerializer.Serialize(order)]);
        var replicas = (long)await database.ExecuteAsync("WAIT", 2, 1000);
        return (await placing).IsNull ? Results.Conflict()
            : replicas < 2 ? Results.StatusCode(StatusCodes.Status503ServiceUnavailable)
            : Results.Created(string.Create(CultureInfo.InvariantCulture, $"/orders/{id}"), id);
    }

    private sealed record FloorOrder(string UserId, string Email, FloorLine[] Lines);

    private sealed record FloorLine(string Sku, int Quantity);
}
