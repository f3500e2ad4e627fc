using AspireRedis.Topology;

namespace AspireRedis.LocalServers;

/// <summary>
/// Two regions as local processes, the second the standby of the first, the line between them, and three witnesses outside of both.
/// None outlives this process. Unix only. Safe for concurrent use.
/// </summary>
public sealed class LocalRegions : IAsyncDisposable
{
    private readonly List<LocalRedis> _started = [];

    private LocalRegions(string active, string standby)
    {
        ActiveName = active;
        StandbyName = standby;
        Link = new RegionLink();
    }

    /// <summary>The name of the region that is active at first.</summary>
    public string ActiveName { get; }

    /// <summary>The name of the one that is the standby at first.</summary>
    public string StandbyName { get; }

    /// <summary>The region that is active at first; no agent has given it a permission yet.</summary>
    public LocalRedis Active => _started[0];

    /// <summary>The one that is the standby at first.</summary>
    public LocalRedis Standby => _started[1];

    /// <summary>Three servers for the lease of the active region.</summary>
    public LocalRedis Witnesses => _started[2];

    /// <summary>The line between the regions.</summary>
    internal RegionLink Link { get; }

    /// <summary>By name.</summary>
    public LocalRedis this[string region] => region == ActiveName ? Active : region == StandbyName ? Standby
        : throw new ArgumentException($"There is no region '{region}'.", nameof(region));

    /// <summary>Starts everything and waits until it is whole.</summary>
    /// <param name="directory">Gets a directory for each region and one for the witnesses.</param>
    /// <param name="options">What the regions are but for their names and users; null for one replica and three Sentinels each.</param>
    /// <param name="latency">Of the line, in each direction; default zero.</param>
    /// <param name="active">The name of the region that is active at first; its service is called the same.</param>
    /// <param name="standby">The name of the other.</param>
    /// <param name="deleteDirectory">Whether disposing deletes what is in <paramref name="directory"/>. Default false.</param>
    /// <param name="cancellationToken">Ends the wait; everything is then stopped.</param>
    /// <exception cref="TimeoutException">It was not whole in time; the message says what is missing.</exception>
    public static async Task<LocalRegions> StartAsync(
        string directory, RedisTopologyOptions? options = null, TimeSpan latency = default, string active = "us", string standby = "eu",
        bool deleteDirectory = false, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var regions = new LocalRegions(active, standby);
        try
        {
            var common = options ?? new RedisTopologyOptions { Replicas = 1 };
            var first = RedisTopology.Create(common with { ServiceName = active, Users = RedisRegionUsers.Create() });
            // Whoever is not reached through the link is not reached from the other region at all.
            var head = regions.Link.Add(first.Primary.Address);
            var second = RedisTopology.Create(common with
            {
                ServiceName = standby, Users = RedisRegionUsers.Create(), Standby = new(head, first.Options.Users!),
            });
            var witnesses = RedisTopology.Create(new()
            {
                OnlyLockNodes = true, Replicas = 0, Sentinels = 0, LockNodes = 3, LockNodePersistence = RedisPersistence.AofAlways,
            });
            foreach (var node in first.Nodes.Concat(second.Nodes))
            {
                regions.Link.Add(node.Address);
            }
            regions.Link.Latency = latency;
            // In this order: the head of the standby finds its primary.
            foreach (var (topology, name) in new[] { (first, active), (second, standby), (witnesses, "witnesses") })
            {
                regions._started.Add(await LocalRedis.StartAsync(topology, Path.Combine(directory, name), deleteDirectory,
                    cancellationToken: cancellationToken));
            }
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The settings of the section <c>Regions</c> as environment variables: for a service its own region as its user sees it, for an agent
    /// or an operator (<paramref name="control"/>) both regions and the witnesses.
    /// </summary>
    /// <param name="region">The region of the process.</param>
    /// <param name="control">Whether it administers.</param>
    public Dictionary<string, string?> SettingsOf(string region, bool control)
        => ConfigurationOf(region, control).ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value);

    /// <summary>The same as configuration names them, as in a file.</summary>
    /// <inheritdoc cref="SettingsOf"/>
    public Dictionary<string, string?> ConfigurationOf(string region, bool control)
        => RegionSettings.Of(region, [(ActiveName, Active.Topology, null), (StandbyName, Standby.Topology, null)],
            Witnesses.Topology.LockNodes.Select(n => n.Address), address => Link.Add(address), control)
            .ToDictionary(s => s.Name, s => (string?)s.Value, StringComparer.Ordinal);

    /// <summary>
    /// Sets a region up anew that was lost, as a standby of the other one: its data are deleted, its addresses and users stay.
    /// </summary>
    /// <param name="region">The region; none of its processes needs to run.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">It did not become whole in time; the message says what is missing.</exception>
    public async Task RebuildAsync(string region, CancellationToken cancellationToken = default)
    {
        var index = region == ActiveName ? 0 : 1;
        var (lost, other) = (this[region], this[region == ActiveName ? StandbyName : ActiveName]);
        foreach (var process in lost.Processes.Values)
        {
            process.Kill();
        }
        await lost.DisposeAsync();
        System.IO.Directory.Delete(lost.Directory, recursive: true);
        var primary = await other.CurrentPrimaryAsync(cancellationToken);
        var topology = RedisTopology.Create(
            lost.Topology.Options with { Standby = new(Link.Add(primary.Address), other.Topology.Options.Users!) },
            (name, _) => lost.Topology.Nodes.First(n => n.Name == name).Address);
        _started[index] = await LocalRedis.StartAsync(topology, lost.Directory, cancellationToken: cancellationToken);
    }

    /// <summary>Stops everything.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_started.Select(s => s.DisposeAsync().AsTask()));
        await Link.DisposeAsync();
    }
}
