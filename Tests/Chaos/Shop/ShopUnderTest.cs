using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Testing.Network;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Shop;

/// <summary>
/// The whole shop as processes behind a network that can be cut: a primary, two replicas and three Sentinels, or a cluster of three
/// primaries with a replica each, and two instances of each service.
/// </summary>
internal sealed class ShopUnderTest : IAsyncDisposable
{
    private const int Instances = 2;

    /// <summary>How long the system may take to be whole again when every fault has ended.</summary>
    public static readonly TimeSpan RecoveryBound = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);

    // A replica that cannot write its file gives up, and would test all memory before it ends.
    private static readonly string[] s_serverSettings = ["crash-memcheck-enabled no"];

    private readonly string _directory;
    private readonly Dictionary<string, string?> _environment;
    private IShopServers? _servers;

    private ShopUnderTest(string directory, IReadOnlyList<RedisNode> nodes, string connectionString, Func<RedisNode, int>? busPort,
        Durability durability, int partitions)
    {
        _directory = directory;
        Partitions = new ShopPartitions(partitions);
        var logs = Directory.CreateDirectory(Path.Combine(directory, "logs")).FullName;
        Orders = Create("orders", ShopServices.OrdersApi);
        Inventory = Create("inventory", ShopServices.InventoryApi);
        Notifications = Create("notifications", ShopServices.NotificationsWorker);
        Services = [.. Orders, .. Inventory, .. Notifications];
        AllNames = [.. nodes.Select(n => n.Name), .. Services.Select(s => s.Name)];
        foreach (var node in nodes)
        {
            Network.Add(node.Name, () => _servers?.Find(node.Name) is { IsRunning: true } process ? process.ProcessId : null, node.Port);
            if (busPort is not null)
            {
                Network.Reach(node.Name, busPort(node));
            }
        }
        foreach (var service in Services)
        {
            Network.Add(service.Name, () => service.ProcessId, service.Port);
        }
        Directory.CreateDirectory(MailDirectory);
        _environment = ShopServices.Environment(
            connectionString, Orders.Select(s => s.Address.ToString()), Inventory.Select(s => s.Address.ToString()),
            MailDirectory);
        _environment["Orders__Durability"] = _environment["Reservations__Durability"] = _environment["Mail__Durability"] =
            durability.ToString();
        // Soon, for the run waits at its end for all that was left behind.
        _environment["Reservations__HoldFor"] = "00:00:20";
        _environment["Consumer__MinIdle"] = "00:00:05";
        _environment["Orders__Partitions"] = partitions.ToString(CultureInfo.InvariantCulture);

        ServiceInstance[] Create(string name, string project) =>
        [
            .. Enumerable.Range(1, Instances).Select(i => string.Create(CultureInfo.InvariantCulture, $"{name}-{i}"))
                .Select(n => new ServiceInstance(n, project, PortAllocator.Next(), Path.Combine(logs, n + ".log"))),
        ];
    }

    public IShopServers Servers => _servers ?? throw new InvalidOperationException("Redis is not started.");

    public LocalRedis Redis => ((SentinelServers)Servers).Redis;

    public LocalCluster Cluster => ((ClusterServers)Servers).Cluster;

    public bool IsCluster => Servers is ClusterServers;

    public SimulatedNetwork Network { get; } = new();

    public IReadOnlyList<ServiceInstance> Orders { get; }

    public IReadOnlyList<ServiceInstance> Inventory { get; }

    public IReadOnlyList<ServiceInstance> Notifications { get; }

    /// <summary>All instances.</summary>
    public IReadOnlyList<ServiceInstance> Services { get; }

    /// <summary>All processes.</summary>
    public IReadOnlyList<string> AllNames { get; }

    /// <summary>How the services divide their keys.</summary>
    public ShopPartitions Partitions { get; }

    public string MailDirectory => Path.Combine(_directory, "mail");

    /// <summary>Starts everything and waits until it is healthy.</summary>
    /// <param name="directory">Gets data, logs and mails.</param>
    /// <param name="durability">What services promise.</param>
    /// <param name="partitions">Into how many partitions they divide their keys.</param>
    /// <param name="onCluster">Whether it stands on a cluster.</param>
    /// <param name="cancellationToken">Ends the wait; everything is then stopped.</param>
    public static async Task<ShopUnderTest> StartAsync(
        string directory, Durability durability, int partitions, bool onCluster, CancellationToken cancellationToken)
    {
        // Before the first server: its disk may be full one day.
        DiskLimit.PrepareForChildren();
        if (onCluster)
        {
            var cluster = RedisClusterTopology.Create(new RedisClusterOptions
            {
                Host = SimulatedNetwork.Announced,
                Bind = SimulatedNetwork.Actual,
                ServerSettings = s_serverSettings,
            });
            return await StartAsync(
                new ShopUnderTest(directory, cluster.Nodes, cluster.ConnectionString, cluster.BusPortOf, durability, partitions),
                async redis => new ClusterServers(await LocalCluster.StartAsync(cluster, redis, cancellationToken: cancellationToken)),
                cancellationToken);
        }
        var topology = RedisTopology.Create(new RedisTopologyOptions
        {
            Host = SimulatedNetwork.Announced,
            Bind = SimulatedNetwork.Actual,
            ServerSettings = s_serverSettings,
        });
        return await StartAsync(
            new ShopUnderTest(directory, topology.Nodes, topology.ConnectionString, busPort: null, durability, partitions),
            async redis => new SentinelServers(await LocalRedis.StartAsync(topology, redis, cancellationToken: cancellationToken)),
            cancellationToken);
    }

    private static async Task<ShopUnderTest> StartAsync(
        ShopUnderTest shop, Func<string, Task<IShopServers>> startAsync, CancellationToken cancellationToken)
    {
        try
        {
            shop._servers = await startAsync(Path.Combine(shop._directory, "redis"));
            await shop.StartMissingAsync(cancellationToken);
            await shop.WaitUntilWholeAsync(cancellationToken);
            return shop;
        }
        catch
        {
            await shop.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Has Sentinels at other ports take over from those that there are. Services that run are told nothing; those that are
    /// started later are told where the new ones are.
    /// </summary>
    public async Task ReplaceSentinelsAsync(bool reset, CancellationToken cancellationToken)
    {
        await Redis.ReplaceSentinelsAsync(
            sentinel =>
            {
                var port = PortAllocator.Next();
                Network.Reach(sentinel.Name, port);
                return new RedisAddress(sentinel.Host, port);
            },
            reset, cancellationToken: cancellationToken);
        _environment["ConnectionStrings__redis"] = Redis.Topology.ConnectionString;
    }

    /// <summary>Starts every process that does not run.</summary>
    public async Task StartMissingAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(Servers.Nodes.Select(n => Servers[n].StartAsync(cancellationToken: cancellationToken)));
        foreach (var service in Services)
        {
            await service.StartAsync(_environment);
        }
    }

    /// <summary>
    /// Until servers and Sentinels are in agreement and every service is healthy. Whatever has ended meanwhile is started
    /// again, as a supervisor would.
    /// </summary>
    /// <exception cref="TimeoutException">Not within <see cref="RecoveryBound"/>; the message says what is missing.</exception>
    public async Task WaitUntilWholeAsync(CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(RecoveryBound);
        var missing = "nothing was seen";
        try
        {
            while (true)
            {
                await StartMissingAsync(bound.Token);
                if (await MissingAsync(bound.Token) is not { } now)
                {
                    return;
                }
                if (now != missing)
                {
                    // Shows what the time was spent on.
                    missing = now;
                    await File.AppendAllTextAsync(Path.Combine(_directory, "logs", "recovery.log"),
                        $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {now}\n", bound.Token);
                }
                await Task.Delay(s_look, bound.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The system is not whole after {RecoveryBound.TotalSeconds} s: {missing}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Services.Select(s => s.DisposeAsync().AsTask()));
        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }
        await Network.DisposeAsync();
    }

    private async Task<string?> MissingAsync(CancellationToken cancellationToken)
    {
        try
        {
            var missing = await Servers.MissingAsync(cancellationToken);
            foreach (var service in Services)
            {
                missing ??= await service.MissingAsync(cancellationToken);
            }
            return missing;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or FormatException)
        {
            return e.Message;
        }
    }
}
