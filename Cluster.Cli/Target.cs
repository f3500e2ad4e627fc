using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>The cluster, and what it remembers of a move.</summary>
internal sealed class Target : IAsyncDisposable
{
    /// <summary>The key under which it remembers it.</summary>
    public const string Marker = "moved-to-cluster";

    private const int Slots = 16384;
    private const int ReplicaTimeoutMs = 30_000;

    private readonly ConnectionMultiplexer _connection;

    private Target(ConnectionMultiplexer connection) => _connection = connection;

    public IDatabase Database => _connection.GetDatabase();

    public IEnumerable<IServer> Primaries => _connection.GetServers().Where(s => s is { IsConnected: true, IsReplica: false });

    /// <summary>Connects to a whole cluster that is empty.</summary>
    /// <exception cref="MoveException">It is not whole or not empty, or the move was made or begun before.</exception>
    /// <exception cref="RedisConnectionException">It is not reached.</exception>
    public static async Task<Target> OpenAsync(string connectionString)
    {
        var target = new Target(await ConnectionMultiplexer.ConnectAsync(Source.OptionsOf(connectionString)));
        try
        {
            await target.CheckWholeAsync();
            await target.CheckEmptyAsync();
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    /// <summary>Remembers that a move has begun, before anything is written.</summary>
    /// <exception cref="MoveException">Another one was faster.</exception>
    public async Task BeginAsync(string from, int partitions)
    {
        if (!await Database.HashSetAsync(Marker, "begun", Now(), When.NotExists))
        {
            await CheckEmptyAsync();
        }
        await Database.HashSetAsync(Marker, [new("from", from), new("partitions", partitions)]);
    }

    /// <summary>Remembers that it has ended, and waits until the replicas of every shard have everything.</summary>
    /// <returns>How many replicas there are; null when one of them did not say so in time.</returns>
    public async Task<int?> EndAsync()
    {
        await Database.HashSetAsync(Marker, "ended", Now());
        // On the connection that wrote.
        var acknowledged = await Task.WhenAll(Primaries.Select(async primary =>
        {
            var replicas = (await primary.RoleAsync()) is Role.Master master ? master.Replicas.Count : 0;
            return (Replicas: replicas, Acknowledged: (int)await primary.ExecuteAsync("WAIT", replicas, ReplicaTimeoutMs));
        }));
        return acknowledged.All(a => a.Acknowledged >= a.Replicas) ? acknowledged.Sum(a => a.Replicas) : null;
    }

    /// <summary>All keys but the marker.</summary>
    public async Task<List<string>> KeysAsync()
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var primary in Primaries)
        {
            await foreach (var key in primary.KeysAsync(pageSize: 1000))
            {
                keys.Add((string)key!);
            }
        }
        keys.Remove(Marker);
        return [.. keys];
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task CheckWholeAsync()
    {
        foreach (var primary in Primaries)
        {
            var name = EndPointCollection.ToString(primary.EndPoint);
            if (primary.ServerType != ServerType.Cluster)
            {
                throw new MoveException($"{name} is no node of a cluster.");
            }
            var info = ((string)(await primary.ExecuteAsync("CLUSTER", "INFO"))!).Split('\n').Select(l => l.Trim().Split(':'))
                .Where(l => l.Length == 2).ToDictionary(l => l[0], l => l[1]);
            if (info["cluster_state"] != "ok" || info["cluster_slots_ok"] != Slots.ToString(CultureInfo.InvariantCulture))
            {
                throw new MoveException($"The cluster is not whole: {name} says {info["cluster_state"]}, with {info["cluster_slots_ok"]} slots.");
            }
            var nodes = ((string)(await primary.ExecuteAsync("CLUSTER", "NODES"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (nodes.FirstOrDefault(n => n.Split(' ')[2].Contains("fail", StringComparison.Ordinal)) is { } failing)
            {
                throw new MoveException($"The cluster is not whole: {failing.Split(' ')[1]} does not answer the others.");
            }
            if (nodes.Any(n => n.Contains("->-", StringComparison.Ordinal) || n.Contains("-<-", StringComparison.Ordinal)))
            {
                throw new MoveException("Slots of the cluster are being moved. Wait until that has ended.");
            }
        }
    }

    private async Task CheckEmptyAsync()
    {
        var marker = (await Database.HashGetAllAsync(Marker)).ToDictionary(f => (string)f.Name!, f => (string?)f.Value);
        if (marker.TryGetValue("ended", out var ended))
        {
            throw new MoveException($"The keys of {marker.GetValueOrDefault("from")} were moved into this cluster at {ended}; it is not done twice.");
        }
        if (marker.TryGetValue("begun", out var begun))
        {
            throw new MoveException($"A move from {marker.GetValueOrDefault("from")} was begun at {begun} and did not end. {HowToEmpty()}");
        }
        var keys = (await Task.WhenAll(Primaries.Select(p => p.DatabaseSizeAsync()))).Sum();
        if (keys > 0)
        {
            throw new MoveException(string.Create(CultureInfo.InvariantCulture, $"The cluster has {keys} keys. {HowToEmpty()}"));
        }
    }

    private string HowToEmpty()
        => "If nothing in it is needed, empty it, and run this again: redis-cli --cluster call "
            + $"{EndPointCollection.ToString(Primaries.First().EndPoint)} FLUSHALL --cluster-only-masters";

    private static string Now() => DateTimeOffset.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
