using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>The primary whose keys are moved, on a connection that stays with it whatever Sentinels say. It is only read.</summary>
internal sealed class Source : IAsyncDisposable
{
    /// <summary>The name of the connections of this tool.</summary>
    public const string ClientName = "to-cluster";

    private static readonly TimeSpan s_watch = TimeSpan.FromSeconds(1);

    private readonly ConnectionMultiplexer _connection;
    private readonly HashSet<string> _writing;
    private readonly Dictionary<string, long> _writes;

    private Source(ConnectionMultiplexer connection, HashSet<string> writing, Dictionary<string, long> writes)
        => (_connection, _writing, _writes) = (connection, writing, writes);

    public IDatabase Database => _connection.GetDatabase();

    public IServer Server => _connection.GetServers()[0];

    /// <summary>Its address.</summary>
    public string Name => EndPointCollection.ToString(Server.EndPoint);

    /// <summary>Connects to the primary of the moment.</summary>
    /// <exception cref="MoveException">It is not one, or somebody is connected who may write.</exception>
    /// <exception cref="RedisConnectionException">It is not reached.</exception>
    public static async Task<Source> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        var options = OptionsOf(connectionString);
        await using (var any = await ConnectionMultiplexer.ConnectAsync(options))
        {
            if (any.GetServers().FirstOrDefault(s => s.ServerType == ServerType.Cluster) is { } node)
            {
                throw new MoveException($"{EndPointCollection.ToString(node.EndPoint)} is a node of a cluster: there is nothing to move.");
            }
            var primaries = any.GetServers().Where(s => s is { IsConnected: true, IsReplica: false }).ToList();
            if (primaries.Count != 1)
            {
                throw new MoveException(string.Create(CultureInfo.InvariantCulture, $"--from names {primaries.Count} primaries that answer."));
            }
            options = OptionsOf(connectionString);
            options.ServiceName = null;
            options.EndPoints.Clear();
            options.EndPoints.Add(primaries[0].EndPoint);
        }
        var connection = await ConnectionMultiplexer.ConnectAsync(options);
        try
        {
            var writing = ((string[])(await connection.GetServers()[0].ExecuteAsync("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write"))!).ToHashSet();
            var source = new Source(connection, writing, []);
            await source.CheckAsync();
            foreach (var (command, calls) in await source.WritesAsync())
            {
                source._writes.Add(command, calls);
            }
            await Task.Delay(s_watch, cancellationToken);
            await source.ThrowIfUsedAsync(ExitCode.Refused);
            return source;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Looks whether it is as it was when it was opened: a primary, with nobody connected, and nothing written since.</summary>
    /// <param name="exitCode">How the tool ends otherwise.</param>
    /// <exception cref="MoveException">It is not.</exception>
    public async Task ThrowIfUsedAsync(int exitCode)
    {
        if (Server.IsReplica || (await Server.RoleAsync()).Value != "master")
        {
            throw new MoveException($"{Name} is not the primary any more.", exitCode);
        }
        // Its replicas, and Sentinels, which write nothing.
        var others = (await Server.ClientListAsync()).Where(c => c.Name != ClientName
            && (c.Flags & (ClientFlags.Replica | ClientFlags.Master)) == 0
            && !(c.Name?.StartsWith("sentinel-", StringComparison.Ordinal) ?? false)).ToList();
        if (others.Count > 0)
        {
            var named = others.Take(5).Select(c => $"{(string.IsNullOrEmpty(c.Name) ? "(no name)" : c.Name)} at {c.Address}");
            throw new MoveException(string.Create(CultureInfo.InvariantCulture,
                $"{others.Count} clients are connected to {Name}: {string.Join(", ", named)}{(others.Count > 5 ? " and others" : "")}. ")
                + "Stop the services, and close what else is connected.", exitCode);
        }
        var now = await WritesAsync();
        var written = now.Where(w => w.Value != _writes.GetValueOrDefault(w.Key)).Select(w => w.Key).Order(StringComparer.Ordinal).ToList();
        if (written.Count > 0)
        {
            throw new MoveException($"{Name} is being written: {string.Join(", ", written)}. Stop the services.", exitCode);
        }
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>What StackExchange.Redis reads, with what a program that moves much in a hurry needs.</summary>
    public static ConfigurationOptions OptionsOf(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        options.ClientName = ClientName;
        options.AllowAdmin = true;
        options.AbortOnConnectFail = true;
        options.AsyncTimeout = 60_000;
        // Replies of commands without an API of their own have another shape under RESP3.
        options.Protocol = RedisProtocol.Resp2;
        return options;
    }

    private async Task CheckAsync()
    {
        if (Server.Version < new Version(7, 0))
        {
            throw new MoveException($"{Name} is Redis {Server.Version}; 7.0 is needed, which tells when a key expires.");
        }
        var database = string.Create(CultureInfo.InvariantCulture, $"db{Database.Database}");
        if ((await Server.InfoAsync("keyspace")).SelectMany(s => s).FirstOrDefault(d => d.Key != database) is { Key: { } other })
        {
            throw new MoveException($"{Name} has keys in {other}, too, and a cluster has one database.");
        }
    }

    /// <summary>How often each command that writes was called, in scripts too. What expires or is replicated counts nowhere.</summary>
    private async Task<Dictionary<string, long>> WritesAsync()
        => ((await Server.InfoRawAsync("commandstats")) ?? "").Split('\n')
            .Select(line => line.Split([':', '=', ','], 4)).Where(part => part.Length == 4)
            .Select(part => (Command: part[0]["cmdstat_".Length..], Calls: long.Parse(part[2], CultureInfo.InvariantCulture)))
            .Where(c => _writing.Contains(c.Command)).ToDictionary(c => c.Command, c => c.Calls);
}
