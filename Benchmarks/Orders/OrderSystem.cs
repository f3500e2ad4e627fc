using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination.Regions;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>
/// The shop's services as processes, on a primary with two replicas and three Sentinels as <c>./run</c> starts them, with the
/// floors beside them on the same primary, or on a cluster of three primaries with a replica each.
/// </summary>
internal sealed class OrderSystem : IAsyncDisposable
{
    private readonly IAsyncDisposable _redis;
    private readonly ConnectionMultiplexer _connection;
    private readonly Dictionary<string, string?> _environment;
    private readonly List<ServiceProcess> _services = [];
    private readonly List<System.Diagnostics.Process> _beside = [];
    private readonly string _mails = Directory.CreateTempSubdirectory("aspire-redis-mail-").FullName;
    private readonly string _inventory = ShopServices.NewUrl();
    private readonly string _orders = ShopServices.NewUrl();
    private readonly string _telemetry = ShopServices.NewUrl();

    private OrderSystem(IAsyncDisposable redis, string connectionString, IEnumerable<RedisNode> servers, ConnectionMultiplexer connection,
        string durability, int partitions)
    {
        (_redis, _connection) = (redis, connection);
        Partitions = new ShopPartitions(partitions);
        Region = new RegionOptions
        {
            Name = "home",
            Regions =
            {
                new RegionDefinition
                {
                    Name = "home",
                    ConnectionString = connectionString,
                    Servers = string.Join(',', servers.Select(s => s.Address)),
                },
            },
        };
        _environment = ShopServices.Environment(connectionString, [_orders], [_inventory], _mails);
        _environment["Orders__Durability"] = _environment["Reservations__Durability"] = _environment["Mail__Durability"] = durability;
        _environment["Orders__Partitions"] = partitions.ToString(CultureInfo.InvariantCulture);
        ShopServices.RunAsDeployed(_environment);
        Customers = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 256 });
    }

    /// <summary>How the services divide their keys.</summary>
    public ShopPartitions Partitions { get; }

    public HttpClient Customers { get; }

    public Uri Ours => new($"{_orders}/orders");

    public Uri Floor { get; private set; } = null!;

    public Uri TwoHops { get; private set; } = null!;

    public IDatabase Database => _connection.GetDatabase();

    public IServer Server => _connection.GetServers()[0];

    /// <summary>The server that is written to; of a cluster all of them.</summary>
    public IEnumerable<IServer> Primaries => _connection.GetServers().Where(s => !s.IsReplica);

    /// <summary>The region that the services may be in.</summary>
    public RegionOptions Region { get; }

    /// <summary>On Sentinels.</summary>
    /// <param name="suite">Runs the floors; null for none.</param>
    /// <param name="durability">The level of all services.</param>
    /// <param name="partitions">Into how many the services divide their keys.</param>
    public static async Task<OrderSystem> StartAsync(ISuite? suite, string durability, int partitions)
    {
        var redis = await LocalRedis.StartAsync(RedisTopology.Create(), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var primary = redis.Topology.ConnectionStringOf(await redis.CurrentPrimaryAsync());
        var system = new OrderSystem(redis, redis.Topology.ConnectionString, redis.Topology.Servers,
            await ConnectionMultiplexer.ConnectAsync(primary + ",allowAdmin=true"), durability, partitions);
        if (suite is not null)
        {
            await system.StartBesideAsync(suite, primary);
        }
        await system.StartServicesAsync();
        return system;
    }

    /// <summary>On a cluster, with nothing beside.</summary>
    public static async Task<OrderSystem> StartOnClusterAsync(string durability, int partitions)
    {
        var topology = RedisClusterTopology.Create();
        var redis = await LocalCluster.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var system = new OrderSystem(redis, topology.ConnectionString, topology.Nodes,
            await ConnectionMultiplexer.ConnectAsync(topology.PlainConnectionString + ",allowAdmin=true"), durability, partitions);
        await system.StartServicesAsync();
        return system;
    }

    private async Task StartBesideAsync(ISuite suite, string primary)
    {
        var (floor, twoHops) = (ShopServices.NewUrl(), ShopServices.NewUrl());
        _beside.Add(Worker.Start(suite, FloorService.Verb, floor, primary));
        _beside.Add(Worker.Start(suite, FloorService.Verb, twoHops, primary, floor));
        _beside.Add(Worker.Start(suite, TelemetrySink.Verb, _telemetry));
        (Floor, TwoHops) = (new($"{floor}/orders"), new($"{twoHops}/orders"));
        foreach (var url in (string[])[floor, twoHops, _telemetry])
        {
            await Poll.UntilAsync(async token =>
            {
                using var answer = await Customers.GetAsync(new Uri($"{url}/health"), token);
                return null;
            }, TimeSpan.FromSeconds(30), "what stands beside the services answers", default);
        }
    }

    /// <summary>Starts the services anew, and waits until they say that they are healthy.</summary>
    /// <param name="telemetry">Whether they export what they trace, measure and log.</param>
    /// <param name="inRegion">Whether they are in a region, and each script looks at its permission; it is granted for an hour.</param>
    public async Task StartServicesAsync(bool telemetry = false, bool inRegion = false)
    {
        var home = Region.Regions[0];
        foreach (var (name, value) in ((string, string)[])[("Name", Region.Name), ("Regions__0__Name", home.Name),
            ("Regions__0__ConnectionString", home.ConnectionString), ("Regions__0__Servers", home.Servers)])
        {
            _environment[$"Regions__{name}"] = inRegion ? value : null;
        }
        if (inRegion)
        {
            await Database.StringSetAsync("redis:region:last", $"{home.Name} 1 0");
            await Database.StringSetAsync("redis:region", $"{home.Name} 1", TimeSpan.FromHours(1));
        }
        _environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = telemetry ? _telemetry : null;
        _environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = telemetry ? "http/protobuf" : null;
        foreach (var service in _services)
        {
            await service.StopAsync();
            await service.DisposeAsync();
        }
        _services.Clear();
        foreach (var (project, url) in ((string, string)[])[(ShopServices.InventoryApi, _inventory), (ShopServices.OrdersApi, _orders),
            (ShopServices.NotificationsWorker, ShopServices.NewUrl())])
        {
            var service = ServiceProcess.StartDotNet(BuiltProject.Path(project), ShopServices.OfInstance(_environment, project, url));
            _services.Add(service);
            await service.WaitHealthyAsync(new Uri($"{url}/health"));
        }
    }

    /// <summary>Products that are never sold out, as PUT writes them; quicker than so many requests.</summary>
    public async Task AddProductsAsync(int from, int count)
    {
        const int Batch = 10_000;
        for (var at = from; at < from + count; at += Batch)
        {
            await Task.WhenAll(Enumerable.Range(at, Math.Min(Batch, from + count - at)).Select(i => Database.HashSetAsync(
                ShopPartitions.KeyOf("product", Partitions.Products, Sku(i)), Product())));
        }
        if (from == 0 && Partitions.Count > 1)
        {
            // The floor knows of no partitions.
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => Database.HashSetAsync($"product:{{{Sku(i)}}}", Product())));
        }

        static HashEntry[] Product() => [new("name", "Thing"), new("price", "9.90"), new("stock", 1_000_000), new("fence", 0)];
    }

    /// <summary>One customer who orders; the answer must be 201.</summary>
    public async Task OrderAsync(Uri url, params int[] products)
    {
        using var answer = await Customers.PostAsJsonAsync(url, new
        {
            userId = "alice",
            email = "alice@example.org",
            lines = products.Select(p => new { sku = Sku(p), quantity = 1 }),
        });
        if (answer.StatusCode != HttpStatusCode.Created)
        {
            throw new InvalidOperationException(
                $"An order was answered with {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>Until there are so many mails more than before, and nothing is left to do for any group.</summary>
    public async Task WaitUntilMailedAsync(int before, int orders, TimeSpan bound)
    {
        await Poll.UntilAsync(_ => Task.FromResult(Mails() - before is var mailed && mailed >= orders ? null : $"{mailed} mails"),
            bound, $"{orders} mails are written", default);
        await Poll.UntilAsync(async _ =>
        {
            var left = 0L;
            foreach (var stream in Partitions.Streams)
            {
                foreach (var group in await Database.StreamGroupInfoAsync(stream))
                {
                    left += group.PendingMessageCount + (group.Lag ?? 0);
                }
            }
            return left == 0 ? null : $"{left} entries are left";
        }, bound, "every group is done", default);
    }

    /// <summary>Processor time of each service so far, in seconds, by its name.</summary>
    public IReadOnlyList<(string Name, double Seconds)> ServiceCosts() => [.. _services.Select(service =>
    {
        using var process = System.Diagnostics.Process.GetProcessById(service.ProcessId);
        return (service.Name, process.TotalProcessorTime.TotalSeconds);
    })];

    public int Mails() => Directory.EnumerateFiles(_mails, "*.eml").Count();

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
        {
            await service.DisposeAsync();
        }
        foreach (var floor in _beside)
        {
            floor.Kill();
            floor.Dispose();
        }
        Customers.Dispose();
        await _connection.CloseAsync();
        await _redis.DisposeAsync();
        Directory.Delete(_mails, recursive: true);
    }

    private static string Sku(int product) => string.Create(CultureInfo.InvariantCulture, $"P-{product}");
}
