using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Benchmarks.Glue;

/// <summary>
/// One change of a product to 500 browsers at one instance of Inventory.Api, with 50 ms between two changes; and what they miss when
/// they connect again and the primary is killed.
/// </summary>
internal static class LiveUpdates
{
    private const int Browsers = 500;
    private const string Sku = "live";

    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(120);

    public static async Task<IReadOnlyList<Measurement>> RunAsync(bool quick)
    {
        var redis = await LocalRedis.StartAsync(RedisTopology.Create(), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        await using var _ = redis;
        var mails = Directory.CreateTempSubdirectory("aspire-redis-mail-").FullName;
        var url = ShopServices.NewUrl();
        var environment = ShopServices.Environment(redis.Topology.ConnectionString, [url], [url], mails);
        ShopServices.RunAsDeployed(environment);
        await using var inventory = ServiceProcess.StartDotNet(BuiltProject.Path(ShopServices.InventoryApi),
            ShopServices.OfInstance(environment, ShopServices.InventoryApi, url));
        await inventory.WaitHealthyAsync(new Uri($"{url}/health"));
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 2 * Browsers })
        {
            BaseAddress = new Uri(url), Timeout = Timeout.InfiniteTimeSpan,
        };
        await PutAsync(http, 0);

        var browsers = new List<Browser>();
        for (var i = 0; i < Browsers; i++)
        {
            browsers.Add(await Browser.OpenAsync(http, null));
        }
        await SeeAsync(browsers, 0);
        var times = new List<double>();
        var changes = quick ? 20 : 100;
        for (var stock = 1; stock <= changes; stock++)
        {
            var began = Stopwatch.GetTimestamp();
            await PutAsync(http, stock);
            await SeeAsync(browsers, stock);
            if (stock > 5)
            {
                // Counted from before the request: what it takes to write the change is in it.
                times.AddRange(browsers.Select(b => Stopwatch.GetElapsedTime(began, b.SeenAt).TotalMilliseconds));
            }
            await Task.Delay(50);
        }

        // Half of them go, and come back behind the last event that they have seen.
        var gone = browsers[..(Browsers / 2)];
        var ids = new List<string?>();
        foreach (var browser in gone)
        {
            ids.Add(browser.LastEventId);
            await browser.DisposeAsync();
        }
        for (var stock = changes + 1; stock <= changes + 10; stock++)
        {
            await PutAsync(http, stock);
        }
        for (var i = 0; i < gone.Count; i++)
        {
            browsers[i] = await Browser.OpenAsync(http, ids[i]);
        }
        var last = changes + 10;
        var lost = await LostAsync(browsers, last);

        var primary = await redis.CurrentPrimaryAsync();
        redis[primary].Kill();
        await Poll.UntilAsync(async token =>
        {
            await PutAsync(http, last + 1);
            return null;
        }, s_bound, "a product is written after the failover", default);
        lost += await LostAsync(browsers, last + 1);
        foreach (var browser in browsers)
        {
            await browser.DisposeAsync();
        }
        Directory.Delete(mails, recursive: true);
        return
        [
            new("sse.fanout.p50.ms", Statistics.Median(times), "ms", ""),
            new("sse.fanout.p99.ms", Statistics.Percentile(times, 0.99), "ms", "stated"),
            new("sse.lost", lost, "1", "0"),
        ];
    }

    private static async Task PutAsync(HttpClient http, int stock)
    {
        using var answer = await http.PutAsJsonAsync(
            new Uri($"/products/{Sku}", UriKind.Relative), new { name = "Thing", price = 9.90m, stock });
        answer.EnsureSuccessStatusCode();
    }

    private static Task SeeAsync(IReadOnlyList<Browser> browsers, int stock)
        => Task.WhenAll(browsers.Select(b => b.SeesAsync(stock))).WaitAsync(s_bound);

    /// <summary>How many do not have the last state within the bound, or were cut.</summary>
    private static async Task<int> LostAsync(IReadOnlyList<Browser> browsers, int stock)
    {
        var seeing = browsers.Select(b => b.SeesAsync(stock)).ToList();
        await Task.WhenAny(Task.WhenAll(seeing), Task.Delay(s_bound));
        return seeing.Count(s => !s.IsCompletedSuccessfully);
    }

    /// <summary>A connection to the stream, and the last stock that came.</summary>
    private sealed class Browser : IAsyncDisposable
    {
        private readonly CancellationTokenSource _closing = new();
        private readonly HttpResponseMessage _response;
        private readonly Lock _lock = new();
        private readonly Task _reading;
        private TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _stock = -1;
        private int _awaited = -1;

        private Browser(HttpResponseMessage response)
        {
            _response = response;
            _reading = Task.Run(ReadAsync);
        }

        public long SeenAt { get; private set; }

        public string? LastEventId { get; private set; }

        public static async Task<Browser> OpenAsync(HttpClient http, string? lastEventId)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/products/stream?sku={Sku}");
            if (lastEventId is not null)
            {
                request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
            }
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            response.EnsureSuccessStatusCode();
            return new Browser(response);
        }

        /// <summary>Ends when this stock was seen.</summary>
        public Task SeesAsync(int stock)
        {
            lock (_lock)
            {
                if (_stock == stock)
                {
                    return Task.CompletedTask;
                }
                _awaited = stock;
                _seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return _seen.Task;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _closing.CancelAsync();
            _response.Dispose();
            await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _closing.Dispose();
        }

        private async Task ReadAsync()
        {
            await using var stream = await _response.Content.ReadAsStreamAsync(_closing.Token);
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(_closing.Token))
            {
                if (item.EventType != "product")
                {
                    continue;
                }
                using var product = JsonDocument.Parse(item.Data);
                lock (_lock)
                {
                    _stock = product.RootElement.GetProperty("stock").GetInt32();
                    (LastEventId, SeenAt) = (item.EventId ?? LastEventId, Stopwatch.GetTimestamp());
                    if (_stock == _awaited)
                    {
                        _seen.TrySetResult();
                    }
                }
            }
        }
    }
}
