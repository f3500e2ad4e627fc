using AspireRedis.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Stands before the inventory: a reservation is passed on, and who gives items back gets no answer.</summary>
internal sealed class StuckInventory : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _inventory;
    private readonly TaskCompletionSource _returning = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private StuckInventory(WebApplication app, string inventoryUrl)
    {
        _app = app;
        _inventory = new HttpClient { BaseAddress = new Uri(inventoryUrl) };
        app.MapPut("/reservations/{orderId}", PassOnAsync);
        app.MapPut("/reservations/{orderId}/return", StayAsync);
    }

    /// <summary>Runs when a reservation is made and its answer is still to be given.</summary>
    public Func<string, Task> OnReserved { get; set; } = _ => Task.CompletedTask;

    public string Url => _app.Urls.Single();

    public static async Task<StuckInventory> StartAsync(string inventoryUrl)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add(ShopServices.NewUrl());
        var inventory = new StuckInventory(app, inventoryUrl);
        await app.StartAsync();
        return inventory;
    }

    /// <summary>Until somebody has begun to give items back.</summary>
    public Task WaitForReturnAsync(TimeSpan bound) => _returning.Task.WaitAsync(bound);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _inventory.Dispose();
    }

    private async Task PassOnAsync(HttpContext context)
    {
        using var body = new StreamContent(context.Request.Body);
        body.Headers.Add("Content-Type", context.Request.ContentType);
        using var response = await _inventory.PutAsync(new Uri(context.Request.Path, UriKind.Relative), body, context.RequestAborted);
        await OnReserved((string)context.Request.RouteValues["orderId"]!);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task StayAsync(HttpContext context)
    {
        _returning.TrySetResult();
        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
