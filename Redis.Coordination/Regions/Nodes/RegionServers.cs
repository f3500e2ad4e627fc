using System.Globalization;
using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions.Permission;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>The servers and Sentinels of a region as this process reaches them. Safe for concurrent use.</summary>
internal sealed class RegionServers : IAsyncDisposable
{
    private readonly bool _fromOutside;

    /// <param name="region">The region.</param>
    /// <param name="fromOutside">Whether this process is in the other one.</param>
    /// <param name="bound">How long to wait for one answer.</param>
    public RegionServers(RegionDefinition region, bool fromOutside, TimeSpan bound)
    {
        Region = region;
        _fromOutside = fromOutside;
        Servers = [.. region.ServerNodes.Select(Link)];
        Sentinels = [.. region.SentinelNodes.Select(Link)];

        NodeLink Link(EndPoint node) => new(node, region.ReachedAt(node, fromOutside), region.Connection, bound);
    }

    public RegionDefinition Region { get; }

    public IReadOnlyList<NodeLink> Servers { get; }

    public IReadOnlyList<NodeLink> Sentinels { get; }

    /// <summary>All servers that answer.</summary>
    public async Task<IReadOnlyList<ServerState>> LookAsync(CancellationToken cancellationToken)
        => [.. (await Task.WhenAll(Servers.Select(s => LookAsync(s, cancellationToken)))).OfType<ServerState>()];

    /// <summary>One server; null when it does not answer.</summary>
    public static async Task<ServerState?> LookAsync(NodeLink server, CancellationToken cancellationToken)
        => await server.TryAsync(cancellationToken, ["INFO", "replication"], ["MGET", RegionPermit.LastKey, RegionPermit.HandOverKey],
            ["DBSIZE"]) is [string info, object?[] permits, long size]
            ? new ServerState(server, ReplicationInfo.Parse(info), RegionPermit.Parse(permits[0] as string),
                RegionPermit.Parse(permits[1] as string), size == 0)
            : null;

    /// <summary>All Sentinels.</summary>
    public Task<SentinelState[]> LookAtSentinelsAsync(CancellationToken cancellationToken)
        => Task.WhenAll(Sentinels.Select(s => LookAtSentinelAsync(s, cancellationToken)));

    /// <summary>
    /// The server that is the primary and says so: with Sentinels that monitor the region whom the newest of them names, else the only one
    /// that takes itself for one. Null for none.
    /// </summary>
    public static ServerState? PrimaryOf(IReadOnlyList<ServerState> servers, IReadOnlyList<SentinelState> sentinels)
    {
        if (sentinels.Where(s => s.Primary is not null).MaxBy(s => s.Epoch) is { } newest)
        {
            return servers.FirstOrDefault(s => s.IsPrimary && s.Link.Node.Equals(newest.Primary));
        }
        var primaries = servers.Where(s => s.IsPrimary).ToList();
        return primaries is [var only] ? only : null;
    }

    /// <summary>The primary, asked now.</summary>
    public async Task<ServerState?> FindPrimaryAsync(CancellationToken cancellationToken)
    {
        var sentinels = LookAtSentinelsAsync(cancellationToken);
        var servers = await LookAsync(cancellationToken);
        return PrimaryOf(servers, await sentinels);
    }

    /// <summary>Where a server of the other region reaches one of this; both may be asked from anywhere.</summary>
    public EndPoint AddressForOther(NodeLink server) => Region.FromOutside(server.Node);

    /// <summary>Makes a server follow another one, and keeps that in its file.</summary>
    /// <param name="server">The server.</param>
    /// <param name="primary">Where it reaches the primary.</param>
    /// <param name="of">The region of the primary, with whose credentials it replicates.</param>
    /// <param name="priority">Whether Sentinels may promote it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task FollowAsync(
        NodeLink server, EndPoint primary, RegionDefinition of, bool priority, CancellationToken cancellationToken)
    {
        var (host, port) = HostAndPort(primary);
        await server.PipelineAsync(cancellationToken, [.. Credentials(of),
            ["CONFIG", "SET", "replica-priority", priority ? 100 : 0], ["REPLICAOF", host, port]]);
        await KeepAsync(server, cancellationToken);
    }

    /// <summary>
    /// Makes the head of a standby follow the active region, in one step with a look at whose data it has: it may have been promoted
    /// since it was looked at last, and would lose what it was written.
    /// </summary>
    /// <exception cref="RegionException">It was promoted.</exception>
    /// <param name="head">The head.</param>
    /// <param name="primary">Where it reaches the primary of the active region.</param>
    /// <param name="of">The active region.</param>
    /// <param name="below">Its epoch: under a higher one the head is a primary of its own region.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="with">Commands of the same step.</param>
    public async Task FollowOtherAsync(
        NodeLink head, EndPoint primary, RegionDefinition of, long below, CancellationToken cancellationToken, params object[][] with)
    {
        var (host, port) = HostAndPort(primary);
        await head.PipelineAsync(cancellationToken, [.. Credentials(of), ["CONFIG", "SET", "replica-priority", 0]]);
        // The active region's marks come in all the time.
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var last = RegionPermit.Parse((await head.PipelineAsync(cancellationToken, ["WATCH", RegionPermit.LastKey],
                ["GET", RegionPermit.LastKey]))[1] as string);
            if (last is { } own && own.Region == Region.Name && own.Epoch > below)
            {
                await head.ExecuteAsync(cancellationToken, "UNWATCH");
                throw new RegionException($"{head.Name} was made the primary of '{own}' meanwhile");
            }
            var done = await head.PipelineAsync(cancellationToken, [["MULTI"], .. with, ["REPLICAOF", host, port], ["EXEC"]]);
            if (done[^1] is object?[])
            {
                await KeepAsync(head, cancellationToken);
                return;
            }
        }
        throw new RegionException($"{head.Name} could not be made to follow {EndPointCollection.ToString(primary)}");
    }

    /// <summary>What a server is told to replicate from a region with.</summary>
    public static object[][] Credentials(RegionDefinition of)
        => [["CONFIG", "SET", "masteruser", of.AuthUser ?? ""], ["CONFIG", "SET", "masterauth", of.AuthPassword ?? ""]];

    /// <summary>Has a server keep its role over a restart; one without a file cannot.</summary>
    public static async Task KeepAsync(NodeLink server, CancellationToken cancellationToken)
    {
        try
        {
            await server.ExecuteAsync(cancellationToken, "CONFIG", "REWRITE");
        }
        catch (RedisServerException e) when (e.Message.Contains("without a config file", StringComparison.Ordinal))
        {
            // It is started with its role again, whatever that is.
        }
    }

    public static (string Host, int Port) HostAndPort(EndPoint node) => node switch
    {
        IPEndPoint ip => (ip.Address.ToString(), ip.Port),
        DnsEndPoint name => (name.Host, name.Port),
        _ => throw new ArgumentException($"{node} is no address."),
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var link in Servers.Concat(Sentinels))
        {
            await link.DisposeAsync();
        }
    }

    public override string ToString() => $"{Region.Name}{(_fromOutside ? " from outside" : "")}";

    private async Task<SentinelState> LookAtSentinelAsync(NodeLink sentinel, CancellationToken cancellationToken)
    {
        try
        {
            var fields = ((object?[])(await sentinel.ExecuteAsync(cancellationToken, "SENTINEL", "MASTER", Region.Service))!).Cast<string>()
                .Chunk(2).ToDictionary(f => f[0], f => f[1], StringComparer.Ordinal);
            return new SentinelState(sentinel, true, NodeAddress.Parse(fields["ip"], fields["port"]),
                long.Parse(fields["config-epoch"], CultureInfo.InvariantCulture));
        }
        catch (RedisServerException e) when (e.Message.Contains("No such master", StringComparison.Ordinal))
        {
            return new SentinelState(sentinel, true, null, -1);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e is IOException or TimeoutException || e.IsOfRedis()))
        {
            return new SentinelState(sentinel, false, null, -1);
        }
    }
}
