using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using AspireRedis.Coordination;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using MimeKit;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>The real system: Redis, and the three services as processes of their own.</summary>
public sealed class ShopSystem : IAsyncDisposable
{
    public const string InventoryApi = ShopServices.InventoryApi;
    public const string OrdersApi = ShopServices.OrdersApi;
    public const string NotificationsWorker = ShopServices.NotificationsWorker;

    public const string OrderEvents = "events:order-placed";
    public const string Mails = "email_stream";

    /// <summary>For what takes a failover or a redelivery.</summary>
    public static readonly TimeSpan LongBound = TimeSpan.FromSeconds(90);

    private static int s_skus;

    private readonly TemporaryDirectory _mails = new();
    private readonly Dictionary<string, string?> _environment;
    private readonly ConcurrentBag<ServiceInstance> _instances = [];
    private readonly int _partitions;
    private readonly IAsyncDisposable _servers;
    private ConnectionMultiplexer? _connection;

    private ShopSystem(IAsyncDisposable servers, string connectionString, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        _servers = servers;
        OrdersUrl = ShopServices.NewUrl();
        InventoryUrl = ShopServices.NewUrl();
        _environment = ShopServices.Environment(connectionString, [OrdersUrl], [InventoryUrl], _mails.Path);
        foreach (var (name, value) in settings)
        {
            _environment[name] = value;
        }
        _partitions = int.Parse(_environment.GetValueOrDefault("Orders__Partitions") ?? "1", CultureInfo.InvariantCulture);
        Orders = Client(OrdersUrl);
        Inventory = Client(InventoryUrl);
    }

    public LocalRedis Redis => (LocalRedis)_servers;

    public LocalCluster Cluster => (LocalCluster)_servers;

    public string OrdersUrl { get; }

    public string InventoryUrl { get; }

    /// <summary>Calls whichever process listens at <see cref="OrdersUrl"/>.</summary>
    public HttpClient Orders { get; }

    /// <summary>Calls whichever process listens at <see cref="InventoryUrl"/>.</summary>
    public HttpClient Inventory { get; }

    public ServiceInstance OrdersInstance { get; private set; } = null!;

    public ServiceInstance InventoryInstance { get; private set; } = null!;

    public ServiceInstance WorkerInstance { get; private set; } = null!;

    public IDatabase Database => (_connection ?? throw new InvalidOperationException("The system is not started.")).GetDatabase();

    /// <param name="topology">Null for a primary, two replicas and three Sentinels.</param>
    /// <param name="settings">Environment variables of all services.</param>
    public static async Task<ShopSystem> StartAsync(RedisTopologyOptions? topology = null,
        params IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var redis = await LocalRedis.StartAsync(
            RedisTopology.Create(topology), Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);
        return await StartAsync(new ShopSystem(redis, redis.Topology.ConnectionString, settings), redis.Topology.ConnectionString);
    }

    /// <summary>The same on three primaries with a replica each.</summary>
    /// <param name="settings">Environment variables of all services.</param>
    public static async Task<ShopSystem> StartOnClusterAsync(params IEnumerable<KeyValuePair<string, string?>> settings)
        => await StartOnAsync(await StartClusterAsync(), settings);

    /// <summary>Three primaries with a replica each, and nothing on them.</summary>
    public static Task<LocalCluster> StartClusterAsync() => LocalCluster.StartAsync(
        // The files outlive a killed process without being forced to the disk, which other tests keep busy.
        RedisClusterTopology.Create(new() { NodeTimeout = TimeSpan.FromSeconds(1), ServerSettings = ["appendfsync no"] }),
        Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);

    /// <summary>The services on a cluster that is there, and is stopped with them.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="settings">Environment variables of all services.</param>
    public static Task<ShopSystem> StartOnAsync(LocalCluster cluster, params IEnumerable<KeyValuePair<string, string?>> settings)
        => StartAsync(new ShopSystem(cluster, cluster.Topology.ConnectionString, settings), cluster.Topology.PlainConnectionString);

    private static async Task<ShopSystem> StartAsync(ShopSystem shop, string connectionString)
    {
        try
        {
            var options = ConfigurationOptions.Parse(connectionString);
            RedisConnectionDefaults.Apply(options);
            shop._connection = await ConnectionMultiplexer.ConnectAsync(options);
            await Task.WhenAll(shop.StartInventoryAsync(), shop.StartOrdersAsync(), shop.StartWorkerAsync());
            return shop;
        }
        catch
        {
            await shop.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The directories of the servers that have been primaries; in a cluster those of all nodes, whose replicas write the same.
    /// </summary>
    public async Task<IReadOnlyList<string>> DataDirectoriesAsync() => _servers is LocalCluster cluster
        ? [.. cluster.Topology.Nodes.Select(n => Path.Combine(cluster.Directory, n.Name))]
        : [Path.Combine(Redis.Directory, (await Redis.CurrentPrimaryAsync()).Name)];

    /// <summary>A SKU that no other test has.</summary>
    public static string NewSku() => string.Create(CultureInfo.InvariantCulture, $"sku-{Interlocked.Increment(ref s_skus)}");

    /// <summary>Starts the service that the others find, first or again.</summary>
    public async Task StartInventoryAsync(params IEnumerable<KeyValuePair<string, string?>> settings)
        => InventoryInstance = await StartAsync(InventoryApi, InventoryUrl, settings);

    /// <inheritdoc cref="StartInventoryAsync"/>
    public async Task StartOrdersAsync(params IEnumerable<KeyValuePair<string, string?>> settings)
        => OrdersInstance = await StartAsync(OrdersApi, OrdersUrl, settings);

    /// <inheritdoc cref="StartInventoryAsync"/>
    public async Task StartWorkerAsync(params IEnumerable<KeyValuePair<string, string?>> settings)
        => WorkerInstance = await StartAsync(NotificationsWorker, ShopServices.NewUrl(), settings);

    /// <summary>Ends the services that the others find, and the connection of the test; the servers go on.</summary>
    public async Task StopServicesAsync()
    {
        await Task.WhenAll(OrdersInstance.StopAsync(), InventoryInstance.StopAsync(), WorkerInstance.StopAsync());
        await _connection!.CloseAsync();
    }

    /// <summary>Starts one more instance of a service, with settings that win over the common ones.</summary>
    public Task<ServiceInstance> StartAnotherAsync(string project, params IEnumerable<KeyValuePair<string, string?>> settings)
        => StartAsync(project, ShopServices.NewUrl(), settings);

    /// <summary>Creates or replaces a product.</summary>
    public async Task<HttpStatusCode> PutProductAsync(string sku, int stock, decimal price = 49.90m, string name = "Chair")
    {
        using var response = await Inventory.PutAsJsonAsync($"/products/{sku}", new { name, price, stock });
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return response.StatusCode;
    }

    public async Task<string> NewProductAsync(int stock, decimal price = 49.90m)
    {
        var sku = NewSku();
        Assert.Equal(HttpStatusCode.Created, await PutProductAsync(sku, stock, price));
        return sku;
    }

    /// <summary>Sends the request; whatever the answer.</summary>
    public Task<HttpResponseMessage> PostOrderAsync(OrderRequest order, string? idempotencyKey = null, HttpClient? orders = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = JsonContent.Create(order) };
        if (idempotencyKey is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey));
        }
        return (orders ?? Orders).SendAsync(request);
    }

    /// <summary>Places an order, which must succeed.</summary>
    public async Task<OrderAnswer> PlaceOrderAsync(OrderRequest order, string? idempotencyKey = null, HttpClient? orders = null)
    {
        using var response = await PostOrderAsync(order, idempotencyKey, orders);
        Assert.True(response.StatusCode == HttpStatusCode.Created,
            $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync<OrderAnswer>())!;
    }

    public async Task<OrderState> GetOrderAsync(string orderId)
        => (await Orders.GetFromJsonAsync<OrderState>($"/orders/{orderId}"))!;

    public Task WaitForStatusAsync(string orderId, string status, TimeSpan? bound = null)
        => Eventually.HoldsAsync(async () => Assert.Equal(status, (await GetOrderAsync(orderId)).Status), $"Order {orderId} is {status}",
        bound);

    public async Task<int> StockAsync(string sku)
        => (await Inventory.GetFromJsonAsync<ProductState>($"/products/{sku}"))!.Stock;

    public async Task<long> UnitsSoldAsync(string sku)
        => (await Inventory.GetFromJsonAsync<SalesState>($"/products/{sku}/sales"))!.UnitsSold;

    public Task WaitForUnitsSoldAsync(string sku, long units, TimeSpan? bound = null)
        => Eventually.HoldsAsync(async () => Assert.Equal(units, await UnitsSoldAsync(sku)), $"{units} of {sku} are counted as sold",
        bound);

    public Task WaitForStockAsync(string sku, int stock, TimeSpan? bound = null)
        => Eventually.HoldsAsync(async () => Assert.Equal(stock, await StockAsync(sku)), $"{stock} of {sku} are in stock", bound);

    /// <summary>All mails in the pickup folder, by file.</summary>
    public IReadOnlyDictionary<string, MimeMessage> ReadMails()
        => Directory.GetFiles(_mails.Path, "*.eml").ToDictionary(file => Path.GetFileName(file), file => MimeMessage.Load(file));

    public IReadOnlyList<MimeMessage> MailsAbout(string orderId)
        => [.. ReadMails().Values.Where(mail => mail.Headers["X-Order-Id"] == orderId)];

    public IReadOnlyList<MimeMessage> MailsTo(string recipient)
        => [.. ReadMails().Values.Where(mail => mail.To.Mailboxes.Single().Address == recipient)];

    /// <summary>The one mail about an order, when it is there.</summary>
    public async Task<MimeMessage> WaitForMailAsync(string orderId, TimeSpan? bound = null)
    {
        await Eventually.TrueAsync(() => MailsAbout(orderId).Count > 0, $"There is a mail about order {orderId}", bound);
        return Assert.Single(MailsAbout(orderId));
    }

    /// <summary>The streams of a topic: of each partition, where it has several.</summary>
    public IReadOnlyList<string> StreamsOf(string topic) => _partitions == 1 ? [topic]
        : [.. Enumerable.Range(0, _partitions).Select(i => string.Create(CultureInfo.InvariantCulture, $"{topic}:{{orders:{i}}}"))];

    /// <summary>Until the journal of the order has that its mail was sent, and changes no more.</summary>
    public Task WaitUntilNotedAsMailedAsync(string orderId, TimeSpan? bound = null)
        => Eventually.TrueAsync(() => Database.HashExistsAsync($"order:{{{orderId}}}", "event:3"), $"Order {orderId} is noted as mailed", bound);

    /// <summary>The fields of the entries of a stream that are about an order.</summary>
    public async Task<IReadOnlyList<Dictionary<string, string>>> EntriesAsync(string stream, string orderId)
        => [.. (await EntriesAsync(stream)).Where(entry => entry.GetValueOrDefault("order_id") == orderId)];

    public async Task<IReadOnlyList<Dictionary<string, string>>> EntriesAsync(string stream)
        => [.. (await Task.WhenAll(StreamsOf(stream).Select(key => Database.StreamRangeAsync(key)))).SelectMany(entries => entries)
            .Select(e => e.Values.ToDictionary(v => (string)v.Name!, v => (string)v.Value!))];

    /// <summary>
    /// Until the order is confirmed and mailed; then that one event, one mail request and one mail are all there is of it:
    /// in the folder alone a second mail would have replaced the first.
    /// </summary>
    public async Task AssertConfirmedAndMailedOnceAsync(string orderId, TimeSpan? bound = null)
    {
        await WaitForStatusAsync(orderId, "confirmed", bound);
        var mail = await WaitForMailAsync(orderId, bound);
        Assert.StartsWith($"{orderId}-confirmed@", mail.MessageId, StringComparison.Ordinal);
        Assert.Single(await EntriesAsync(OrderEvents, orderId));
        Assert.Single(await EntriesAsync(Mails, orderId));
    }

    /// <summary>
    /// Until an order goes all the way. After a fault the servers may be whole again while a service still turns from one
    /// connection to another, and answers 503 meanwhile.
    /// </summary>
    public async Task WaitUntilWorkingAsync()
    {
        await Redis.WaitUntilCompleteAsync();
        var sku = NewSku();
        await Eventually.HoldsAsync(
            async () =>
            {
                await PutProductAsync(sku, stock: 1000);
                var answer = await PlaceOrderAsync(OrderRequest.For(sku));
                await WaitForMailAsync(answer.OrderId, TimeSpan.FromSeconds(10));
                await WaitUntilSettledAsync(TimeSpan.FromSeconds(10));
            },
            "The system works");
    }

    /// <summary>Until every group has handled and acknowledged everything.</summary>
    public Task WaitUntilSettledAsync(TimeSpan? bound = null)
        => Eventually.HoldsAsync(
            async () =>
            {
                foreach (var stream in StreamsOf(OrderEvents).Concat(StreamsOf(Mails)))
                {
                    foreach (var group in await Database.StreamGroupInfoAsync(stream))
                    {
                        // Not by the lag that the server counts, which may stay above zero for ever: a replica counts fewer reads
                        // than its primary (seen with 7.0.15), and may be the primary itself now.
                        var undelivered = await Database.StreamRangeAsync(stream, minId: $"({group.LastDeliveredId}", count: 1);
                        Assert.True(group.PendingMessageCount == 0 && undelivered.Length == 0,
                            $"{stream}, group {group.Name}: {group.PendingMessageCount} pending, not delivered from "
                            + $"{(undelivered is [var first] ? first.Id : "(none)")}");
                    }
                }
            },
            "All events are handled", bound);

    public async ValueTask DisposeAsync()
    {
        // Not one after the other: each may take a while.
        await Task.WhenAll(_instances.Select(instance => instance.DisposeAsync().AsTask()));
        if (_connection is not null)
        {
            await _connection.CloseAsync(allowCommandsToComplete: false);
        }
        await _servers.DisposeAsync();
        Orders.Dispose();
        Inventory.Dispose();
        _mails.Dispose();
    }

    private static HttpClient Client(string url) => new() { BaseAddress = new Uri(url), Timeout = LongBound };

    private async Task<ServiceInstance> StartAsync(string project, string url, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var environment = ShopServices.OfInstance(_environment, project, url);
        foreach (var (name, value) in settings)
        {
            environment[name] = value;
        }
        var instance = new ServiceInstance(ServiceProcess.StartDotNet(BuiltProject.Path(project), environment), Client(url));
        _instances.Add(instance);
        await instance.WaitHealthyAsync();
        return instance;
    }
}
