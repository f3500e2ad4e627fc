using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using AspireRedis.Chaos.Checking;

namespace AspireRedis.Chaos.Load;

/// <summary>
/// Customers who come at a steady rate whether they are served or not. Each has an idempotency key, and asks again with
/// it, at the other instance too, as long as the outcome is open.
/// </summary>
internal sealed class Customers(IReadOnlyList<Uri> orders, Assortment assortment, History history, int seed, int rate) : IDisposable
{
    /// <summary>Customers per second when nothing else is asked for.</summary>
    public const int DefaultRate = 20;

    /// <summary>How long a customer asks again before giving up: an open outcome for the checker.</summary>
    private static readonly TimeSpan s_waitBound = TimeSpan.FromSeconds(45);

    private static readonly TimeSpan s_attempt = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);

    private readonly HttpClient _http =
        new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(30) }) { Timeout = s_attempt };
    private readonly Random _random = new(seed);

    /// <summary>Sends customers until told to stop, then waits for the last of them.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var buying = new List<Task>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / rate));
        try
        {
            for (var number = 0; await timer.WaitForNextTickAsync(stopping); number++)
            {
                var (lines, payable) = assortment.Choose(_random);
                // Some ask again although they had an answer.
                buying.Add(BuyAsync(number, lines, payable, repeat: _random.Next(20) == 0));
                buying.RemoveAll(b => b.IsCompletedSuccessfully);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // No new customers; those under way are served.
        }
        await Task.WhenAll(buying);
    }

    /// <summary>Serves so many customers, some at a time.</summary>
    /// <param name="first">The number of the first; each number comes once.</param>
    /// <param name="count">How many.</param>
    /// <param name="atOnce">How many at a time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task ServeAsync(int first, int count, int atOnce, CancellationToken cancellationToken)
    {
        var wanted = Enumerable.Range(first, count).Select(number => (Number: number, What: assortment.Choose(_random))).ToList();
        return Parallel.ForEachAsync(wanted,
            new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellationToken },
            async (customer, _) => await BuyAsync(customer.Number, customer.What.Lines, customer.What.Payable, repeat: false));
    }

    public void Dispose() => _http.Dispose();

    private async Task BuyAsync(int number, IReadOnlyList<Line> lines, bool payable, bool repeat)
    {
        var userId = string.Create(CultureInfo.InvariantCulture, $"customer-{number}");
        var email = $"{userId}@example.org";
        var acknowledged = new List<string>();
        var refused = false;
        var redirects = 0;
        var deadline = TimeProvider.System.GetUtcNow() + s_waitBound;
        var began = Stopwatch.GetTimestamp();
        for (var attempt = number; TimeProvider.System.GetUtcNow() < deadline && !refused; attempt++)
        {
            var (status, orderId, redirected) = await AskAsync(orders[attempt % orders.Count], userId, email, lines);
            if (orderId is not null)
            {
                acknowledged.Add(orderId);
                if (acknowledged.Count == 1)
                {
                    history.Acknowledge(Stopwatch.GetElapsedTime(began));
                }
                if (!repeat || acknowledged.Count == 2)
                {
                    break;
                }
                continue;
            }
            refused = status is { } answer && !IsFailure(answer);
            // To a region that was named one goes at once. While none is active each names the other, and hundreds of customers that ask
            // a hundred times a second would be a load that no shop has.
            redirects = redirected ? redirects + 1 : 0;
            await Task.Delay(
                redirected ? TimeSpan.FromTicks(Math.Min(s_pause.Ticks, s_step.Ticks << Math.Min(redirects - 1, 8))) : s_pause);
        }
        history.End(new Purchase(userId, email, lines, payable, acknowledged, refused));
    }

    private static bool IsFailure(HttpStatusCode status)
        => status is not (HttpStatusCode.Created or HttpStatusCode.Conflict or HttpStatusCode.NotFound
        or HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest);

    /// <summary>
    /// One request. No status when there was no answer, an order id when it was 201; redirected when it was 503 with the name of the active
    /// region.
    /// </summary>
    private async Task<(HttpStatusCode? Status, string? OrderId, bool IsRedirected)> AskAsync(Uri instance, string userId, string email,
        IReadOnlyList<Line> lines)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(instance, "/orders"))
        {
            Content = JsonContent.Create(new { userId, email, lines = lines.Select(l => new { sku = l.Sku, quantity = l.Quantity }) }),
        };
        request.Headers.Add("Idempotency-Key", userId);
        var begin = Stopwatch.GetTimestamp();
        try
        {
            using var response = await _http.SendAsync(request);
            var orderId = response.StatusCode == HttpStatusCode.Created
                ? (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("orderId").GetString()
                : null;
            if (orderId is not null)
            {
                history.Accept(orderId, instance);
            }
            var redirected = response.StatusCode == HttpStatusCode.ServiceUnavailable
                && (await response.Content.ReadAsStringAsync()).Contains("\"activeRegion\"", StringComparison.Ordinal);
            history.Answer(instance, ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture),
                IsFailure(response.StatusCode) && !redirected, Stopwatch.GetElapsedTime(begin));
            return (response.StatusCode, orderId, redirected);
        }
        // A connection that is reset just when it is made comes as a bare SocketException.
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or SocketException)
        {
            history.Answer(instance, e is OperationCanceledException ? "timeout" : "disconnected", failed: true,
                Stopwatch.GetElapsedTime(begin));
            return (null, null, false);
        }
    }
}
