using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Regions.Tests.Support;

/// <summary>What a service of a region has: it appends numbers to a list, and knows which of them were acknowledged.</summary>
internal sealed class RegionClient : IAsyncDisposable
{
    public const string List = "numbers";

    private static readonly RedisScript s_add = RedisScript.Load<PermitTests>("add");

    private readonly List<string> _acknowledged = [];
    private int _next;

    private RegionClient(string region, RegionMonitor monitor, RedisDeployment redis)
    {
        Region = region;
        Monitor = monitor;
        Redis = redis;
        Writer = new DurableWriter(redis, Options.Create(new DurableWriterOptions { AcknowledgeTimeout = TimeSpan.FromSeconds(2) }));
    }

    public string Region { get; }

    public RegionMonitor Monitor { get; }

    public RedisDeployment Redis { get; }

    public DurableWriter Writer { get; }

    public IReadOnlyCollection<string> Acknowledged
    {
        get
        {
            lock (_acknowledged)
            {
                return [.. _acknowledged];
            }
        }
    }

    public static async Task<RegionClient> ConnectAsync(TwoRegions regions, string region, CapturedLog? log = null)
    {
        var monitor = new RegionMonitor(regions.OptionsFor(region), logger: log?.For<RegionMonitor>());
        var options = ConfigurationOptions.Parse(regions[region].Topology.ConnectionString);
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = 500;
        return new RegionClient(region, monitor, await RedisDeployment.ConnectAsync(options, region: monitor));
    }

    /// <summary>Appends one number.</summary>
    public async Task WriteAsync(Durability durability = Durability.Memory)
    {
        var number = $"{Region}{Interlocked.Increment(ref _next)}";
        await Writer.EvaluateAsync(s_add, [List], [number], durability, CancellationToken.None);
        lock (_acknowledged)
        {
            _acknowledged.Add(number);
        }
    }

    public async Task WriteAsync(int count, Durability durability = Durability.Memory)
    {
        for (var i = 0; i < count; i++)
        {
            await WriteAsync(durability);
        }
    }

    /// <summary>Writes without a pause until it is told to end. What is refused or lost is not counted, whatever it was.</summary>
    public async Task WriteUntilAsync(CancellationToken ending, Durability durability = Durability.Memory)
    {
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await WriteAsync(durability);
            }
            catch (Exception e) when (e is RegionNotActiveException or NotDurableException || RedisFailure.Of(e) != RedisFailureKind.Final
                || e is RedisException)
            {
                await Task.Delay(5, CancellationToken.None);
            }
        }
    }

    public async Task<IReadOnlyCollection<string>> ReadAsync()
        => [.. (await Redis.RunAsync(List, db => db.ListRangeAsync(List), repeatable: true)).Select(v => (string)v!)];

    public async ValueTask DisposeAsync()
    {
        await Writer.DisposeAsync();
        await Redis.DisposeAsync();
        await Monitor.DisposeAsync();
    }
}
