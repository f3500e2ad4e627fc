using System.Globalization;
using AspireRedis.Chaos.Shop;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Regions;

/// <summary>All that runs in one region: its servers and Sentinels, an agent, and one instance of each service.</summary>
internal sealed class RegionSite : IAsyncDisposable
{
    private const string Host = "127.0.0.1";
    private const string AgentProject = "Regions.Agent";

    private readonly LocalRegions _regions;
    private readonly Dictionary<string, string?> _serviceSettings;
    private readonly Dictionary<string, string?> _agentSettings;

    /// <param name="regions">The servers of both.</param>
    /// <param name="name">Which one.</param>
    /// <param name="directory">Gets logs.</param>
    /// <param name="mailDirectory">Where the mails of both regions go.</param>
    /// <param name="settings">What services are told besides.</param>
    /// <param name="agentSettings">What the agent is told besides.</param>
    /// <param name="isChecked">Whether services are told of the regions; else nothing that they write is checked.</param>
    public RegionSite(LocalRegions regions, string name, string directory, string mailDirectory,
        IReadOnlyDictionary<string, string?> settings, IReadOnlyDictionary<string, string?> agentSettings, bool isChecked)
    {
        _regions = regions;
        Name = name;
        var logs = Directory.CreateDirectory(Path.Combine(directory, $"logs-{name}")).FullName;
        Orders = Create("orders", ShopServices.OrdersApi);
        Inventory = Create("inventory", ShopServices.InventoryApi);
        Notifications = Create("notifications", ShopServices.NotificationsWorker);
        Agent = Create("agent", AgentProject);
        _serviceSettings = ShopServices.Environment(regions[name].Topology.ConnectionString, [$"{Orders.Address}"], [$"{Inventory.Address}"],
            mailDirectory);
        foreach (var (key, value) in settings.Concat(isChecked ? regions.SettingsOf(name, control: false) : []))
        {
            _serviceSettings[key] = value;
        }
        _agentSettings = regions.SettingsOf(name, control: true);
        foreach (var (key, value) in agentSettings)
        {
            _agentSettings[key] = value;
        }
        // Nobody listens.
        _agentSettings["OTEL_EXPORTER_OTLP_ENDPOINT"] = null;

        ServiceInstance Create(string service, string project) => new(string.Create(CultureInfo.InvariantCulture, $"{name}-{service}"),
            project, PortAllocator.Next(), Path.Combine(logs, service + ".log"), Host);
    }

    public string Name { get; }

    public LocalRedis Redis => _regions[Name];

    public ServiceInstance Orders { get; }

    public ServiceInstance Inventory { get; }

    public ServiceInstance Notifications { get; }

    public ServiceInstance Agent { get; }

    public IReadOnlyList<ServiceInstance> Services => [Orders, Inventory, Notifications];

    /// <summary>Starts the agent anew, with another mind to promotions.</summary>
    /// <param name="automatic">Whether it promotes its region by itself.</param>
    public async Task RestartAgentAsync(bool automatic)
    {
        Agent.Kill();
        _agentSettings["Regions__PromoteAutomatically"] = $"{automatic}";
        await Agent.StartAsync(_agentSettings);
    }

    /// <summary>Starts all that does not run.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="withAgent">Whether the agent too, which takes servers that were replaced away from the services.</param>
    public async Task StartAsync(CancellationToken cancellationToken, bool withAgent = true)
    {
        await Task.WhenAll(Redis.Processes.Values.Select(p => p.StartAsync(cancellationToken: cancellationToken)));
        if (withAgent)
        {
            await Agent.StartAsync(_agentSettings);
        }
        foreach (var service in Services)
        {
            await service.StartAsync(_serviceSettings);
        }
    }

    /// <summary>kill -9 of everything, the servers first.</summary>
    public void Kill()
    {
        foreach (var process in Redis.Processes.Values)
        {
            process.Kill();
        }
        foreach (var service in Services.Append(Agent))
        {
            service.Kill();
        }
    }

    /// <returns>Null when everything is healthy, else what is not.</returns>
    public async Task<string?> MissingAsync(CancellationToken cancellationToken)
    {
        try
        {
            var missing = await new RedisTopologyProbe(Redis.Topology).MissingAsync(cancellationToken);
            foreach (var service in Services.Append(Agent))
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

    public async ValueTask DisposeAsync()
    {
        foreach (var service in Services.Append(Agent))
        {
            await service.DisposeAsync();
        }
    }
}
