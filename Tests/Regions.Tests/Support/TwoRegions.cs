using System.Text.Json;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Regions.Tests.Support;

/// <summary>
/// Two regions of a primary, a replica and three Sentinels each, a far line between them, and three witnesses. Nobody works for them at
/// first.
/// </summary>
internal sealed class TwoRegions : IAsyncDisposable
{
    public const string A = "a";
    public const string B = "b";

    private readonly Dictionary<string, LocalRedis> _regions = [];
    private readonly Dictionary<string, RegionLink> _links = [];
    private readonly RegionLink _toWitnesses = new();
    private readonly List<IAsyncDisposable> _started = [];
    private readonly TemporaryDirectory _directory = new();
    private LocalRedis? _witnesses;
    private int _files;

    private TwoRegions()
    {
    }

    public LocalRedis Witnesses => _witnesses!;

    public LocalRedis this[string region] => _regions[region];

    public static async Task<TwoRegions> StartAsync(TimeSpan? latency = null)
    {
        var regions = new TwoRegions();
        try
        {
            var witnesses = StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, LockNodes = 3,
                LockNodePersistence = RedisPersistence.None });
            var a = StartAsync(OptionsOf(A));
            var b = StartAsync(OptionsOf(B));
            regions._regions[A] = await a;
            regions._regions[B] = await b;
            regions._witnesses = await witnesses;
            foreach (var name in regions._regions.Keys)
            {
                regions._links[name] = new RegionLink { Latency = latency ?? TimeSpan.FromMilliseconds(5) };
            }
            return regions;
        }
        catch
        {
            await regions.DisposeAsync();
            throw;
        }

        static RedisTopologyOptions OptionsOf(string name) => new()
        {
            ServiceName = $"shop-{name}",
            Password = $"secret-{name}",
            Replicas = 1,
        };

        static Task<LocalRedis> StartAsync(RedisTopologyOptions options)
            => LocalRedis.StartAsync(RedisTopology.Create(options), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
                deleteDirectory: true);
    }

    /// <summary>What a process in a region is told. That of A reaches the witnesses by a line that can be cut.</summary>
    public RegionOptions OptionsFor(string region, Action<RegionOptions>? configure = null)
    {
        var options = new RegionOptions
        {
            Name = region,
            LeaseTtl = TimeSpan.FromSeconds(4),
            Interval = TimeSpan.FromMilliseconds(100),
            PromoteAfter = TimeSpan.FromSeconds(1),
            Witnesses = region == A ? string.Join(',', Witnesses.Topology.LockNodes.Select(n => _toWitnesses.Add(n.Address)))
                : string.Join(';', Witnesses.Topology.LockNodeConnectionStrings),
        };
        foreach (var (name, redis) in _regions)
        {
            var definition = new RegionDefinition
            {
                Name = name,
                ConnectionString = redis.Topology.ConnectionString,
                Servers = string.Join(',', redis.Topology.Servers.Select(s => s.Address)),
            };
            foreach (var node in redis.Topology.Nodes)
            {
                definition.Links[node.Address.ToString()] = _links[name].Add(node.Address).ToString();
            }
            options.Regions.Add(definition);
        }
        configure?.Invoke(options);
        return options;
    }

    /// <summary>The same as a file, for another process.</summary>
    public string ConfigurationFor(string region, Action<RegionOptions>? configure = null)
    {
        var options = OptionsFor(region, configure);
        var path = Path.Combine(_directory.Path, $"{Interlocked.Increment(ref _files)}.json");
        File.WriteAllText(path, JsonSerializer.Serialize(new
        {
            Regions = new
            {
                options.Name, options.LeaseTtl, options.Interval, options.NodeTimeout, options.PromoteAfter, options.PromoteAutomatically,
                options.Witnesses,
                Regions = options.Regions.Select(r => new
                {
                    r.Name, r.ConnectionString, r.Servers, Link = string.Join(',', r.Links.Select(l => $"{l.Key}={l.Value}")),
                }),
            },
        }));
        return path;
    }

    /// <summary>Starts an agent; it is stopped at the end at the latest.</summary>
    public async Task<RegionAgent> StartAgentAsync(string region, Action<RegionOptions>? configure = null)
    {
        var agent = new RegionAgent(OptionsFor(region, configure), logger: new TestLogger<RegionAgent>(region));
        _started.Add(agent);
        await agent.StartAsync(CancellationToken.None);
        return agent;
    }

    /// <summary>An operator that works from a region.</summary>
    public RegionOperator CreateOperator(string from, Action<RegionOptions>? configure = null)
    {
        // A person waits longer than an agent, which looks again.
        var options = OptionsFor(from, configure);
        options.NodeTimeout = TimeSpan.FromSeconds(3);
        var operation = new RegionOperator(options, logger: new TestLogger<RegionOperator>(from));
        _started.Add(operation);
        return operation;
    }

    /// <summary>A service of a region.</summary>
    public async Task<RegionClient> ConnectAsync(string region, CapturedLog? log = null)
    {
        var client = await RegionClient.ConnectAsync(this, region, log);
        _started.Add(client);
        return client;
    }

    /// <summary>Cuts the way from one region to the other's servers and Sentinels, or makes it whole.</summary>
    public void CutWayTo(string region, bool isCut) => Cut(_links[region], isCut);

    /// <summary>Cuts A off from the witnesses, or makes that line whole.</summary>
    public void CutFromWitnesses(bool isCut) => Cut(_toWitnesses, isCut);

    /// <summary>SIGKILL for all servers and Sentinels of a region.</summary>
    public void Kill(string region)
    {
        foreach (var process in this[region].Processes.Values)
        {
            process.Kill();
        }
    }

    /// <summary>Starts them again, with the roles in their files.</summary>
    public Task ReviveAsync(string region) => Task.WhenAll(this[region].Processes.Values.Select(p => p.StartAsync()));

    public void Freeze(string region)
    {
        foreach (var process in this[region].Processes.Values)
        {
            process.Freeze();
        }
    }

    public void Thaw(string region)
    {
        foreach (var process in this[region].Processes.Values)
        {
            process.Thaw();
        }
    }

    /// <summary>A command of one server.</summary>
    public async Task<object?> ExecuteAsync(string region, RedisNode node, params object[] command)
    {
        var address = EndPointCollection.TryParse(node.Address.ToString())!;
        await using var link = new NodeLink(address, address,
            ConfigurationOptions.Parse(this[region].Topology.ConnectionStringOf(node)), TimeSpan.FromSeconds(2));
        return await link.ExecuteAsync(CancellationToken.None, command);
    }

    public async Task<ReplicationInfo> InfoAsync(string region, RedisNode node)
        => ReplicationInfo.Parse((string)(await ExecuteAsync(region, node, "INFO", "replication"))!);

    /// <summary>What clients have written that a region has, at the server that was its primary at first.</summary>
    public async Task<string[]> NumbersAsync(string region)
        => [.. ((object?[])(await ExecuteAsync(region, this[region].Topology.Primary, "LRANGE", RegionClient.List, 0, -1))!).Cast<string>()];

    /// <summary>Until A is active, B's first server follows it and B's second one that.</summary>
    public async Task UntilAttachedAsync(string active = A, string standby = B)
    {
        await Eventually.HoldsAsync(
            async () =>
            {
                var infos = new List<ReplicationInfo>();
                foreach (var server in this[standby].Topology.Servers)
                {
                    infos.Add(await InfoAsync(standby, server));
                }
                Assert.All(infos, i => Assert.True(!i.IsPrimary && i.IsLinked, $"{i}"));
                var activeInfos = new List<ReplicationInfo>();
                foreach (var server in this[active].Topology.Servers)
                {
                    activeInfos.Add(await InfoAsync(active, server));
                }
                var primary = Assert.Single(activeInfos, i => i.IsPrimary);
                Assert.All(infos, i => Assert.Equal(primary.Id, i.Id));
            },
            $"{standby} is attached to {active}", TimeSpan.FromSeconds(60));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var started in Enumerable.Reverse(_started))
        {
            await started.DisposeAsync();
        }
        foreach (var link in _links.Values.Append(_toWitnesses))
        {
            await link.DisposeAsync();
        }
        foreach (var redis in _regions.Values.Append(_witnesses).OfType<LocalRedis>())
        {
            await redis.DisposeAsync();
        }
        _directory.Dispose();
    }

    private static void Cut(RegionLink link, bool isCut)
    {
        if (isCut)
        {
            link.Cut();
        }
        else
        {
            link.Heal();
        }
    }

    private sealed class TestLogger<T>(string region) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
            => Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {region} {typeof(T).Name}: {formatter(state, exception)}");
    }
}
