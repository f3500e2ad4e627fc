using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Glue;

/// <summary>
/// Three instances of Inventory.Api as processes, a product that changes, and a thousand readers of the list at once: how often the
/// product is loaded, which is what the server has seen of it.
/// </summary>
internal static class CacheStampede
{
    private const int Instances = 3;
    private const int Readers = 1000;
    private const int Products = 20;
    private const string Changing = "P-10";

    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    public static async Task<IReadOnlyList<Measurement>> RunAsync(bool quick)
    {
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(topology.ConnectionString);
        var mails = Directory.CreateTempSubdirectory("aspire-redis-mail-");
        List<ServiceProcess> services = [];
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Readers }) { Timeout = s_bound };
        try
        {
            var urls = Enumerable.Range(0, Instances).Select(_ => ShopServices.NewUrl()).ToList();
            var environment = ShopServices.Environment(topology.ConnectionString, [ShopServices.NewUrl()], urls, mails.FullName);
            environment["Reservations__Durability"] = "Memory";
            ShopServices.RunAsDeployed(environment);
            foreach (var url in urls)
            {
                var service = ServiceProcess.StartDotNet(BuiltProject.Path(ShopServices.InventoryApi),
                    ShopServices.OfInstance(environment, ShopServices.InventoryApi, url));
                services.Add(service);
                await service.WaitHealthyAsync(new Uri($"{url}/health"));
            }
            return await MeasureAsync(http, urls, topology, connection.GetDatabase(), quick ? 5 : 20);
        }
        finally
        {
            foreach (var service in services)
            {
                await service.DisposeAsync();
            }
            mails.Delete(recursive: true);
        }
    }

    private static async Task<IReadOnlyList<Measurement>> MeasureAsync(
        HttpClient http, List<string> urls, RedisTopology topology, IDatabase database, int rounds)
    {
        for (var i = 0; i < Products; i++)
        {
            await PutAsync(http, urls[0], string.Create(CultureInfo.InvariantCulture, $"P-{i}"), 1);
        }
        // Compiled, connected and warm.
        await ReadAtOnceAsync(http, urls);
        await using var watch = await CommandWatch.StartAsync(topology.Primary.Host, topology.Primary.Port);
        List<int> loads = [];
        List<double> times = [];
        for (var round = 0; round < rounds; round++)
        {
            await watch.TakeAsync(database);
            await PutAsync(http, urls[round % urls.Count], Changing, round + 2);
            var began = Stopwatch.GetTimestamp();
            var prices = await ReadAtOnceAsync(http, urls);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            // Whoever had not heard of the change has by now.
            var price = round + 2;
            await Poll.UntilAsync(
                async _ => (await Task.WhenAll(urls.Select(url => PriceAsync(http, url)))).All(shown => shown == price) ? null : "not yet",
                s_bound, "all instances show the change", default);
            var commands = await watch.TakeAsync(database);
            loads.Add(commands.Count(c => c.Contains($"\"HMGET\" \"product:{{{Changing}}}\"", StringComparison.Ordinal)));
            Console.WriteLine($"  cache.stampede: {loads[^1]} loads for {Readers} readers, {commands.Count} commands, {times[^1]:0} ms, "
                + $"{prices.Count(shown => shown != price)} answers of before");
        }
        return
        [
            new Measurement("cache.stampede.loads", loads.Max(), "loads", "at most 1"),
            new Measurement("cache.stampede.p50.ms", Statistics.Median(times), "ms for all", "as is"),
        ];
    }

    private static Task<decimal[]> ReadAtOnceAsync(HttpClient http, List<string> urls)
        => Task.WhenAll(Enumerable.Range(0, Readers).Select(i => Task.Run(() => PriceAsync(http, urls[i % urls.Count]))));

    private static async Task<decimal> PriceAsync(HttpClient http, string url)
    {
        var page = await http.GetFromJsonAsync<JsonElement>(new Uri($"{url}/products?limit={Products}"));
        return page.GetProperty("products").EnumerateArray().First(p => p.GetProperty("sku").GetString() == Changing)
            .GetProperty("price").GetDecimal();
    }

    private static async Task PutAsync(HttpClient http, string url, string sku, decimal price)
    {
        using var answer = await http.PutAsJsonAsync(new Uri($"{url}/products/{sku}"), new { name = "Thing", price, stock = 1000 });
        answer.EnsureSuccessStatusCode();
    }
}
