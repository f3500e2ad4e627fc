using System.Net;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// A short-lived connection to one server, to ask what it is and to tell it what to become. Not by way of the door, which
/// leads to whoever is the primary.
/// </summary>
internal sealed class NodeProbe : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _connection;

    private NodeProbe(EndPoint node, ConnectionMultiplexer connection)
    {
        Node = node;
        _connection = connection;
    }

    public EndPoint Node { get; }

    /// <summary>Database 0, whatever the options say.</summary>
    public IDatabase Database => _connection.GetDatabase(0);

    public static async Task<NodeProbe> OpenAsync(
        ConfigurationOptions options, EndPoint node, Tunnel? tunnel, TimeSpan bound, CancellationToken cancellationToken)
    {
        var own = SentinelLink.OptionsFor(options, node, "probe", tunnel);
        own.AbortOnConnectFail = true;
        own.ConnectRetry = 1;
        own.ConnectTimeout = (int)bound.TotalMilliseconds;
        own.AsyncTimeout = (int)bound.TotalMilliseconds;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.CommandMap = ConnectionAttempt.WithoutSubscriptions;
        return new NodeProbe(node, await ConnectionAttempt.ConnectAsync(own, cancellationToken));
    }

    /// <summary>Whether it takes itself for the primary.</summary>
    public async Task<bool> IsPrimaryAsync() => (await RoleAsync()).IsPrimary;

    /// <summary>What it takes itself for, and its replication offset.</summary>
    public async Task<(bool IsPrimary, bool IsLinked, long Offset)> RoleAsync()
    {
        var role = await Database.ExecuteAsync("ROLE");
        // master, offset, replicas; slave, host, port, state of the link, offset.
        return (string?)role[0] == "master" ? (true, true, (long)role[1]) : (false, (string?)role[3] == "connected", (long)role[4]);
    }

    public async ValueTask DisposeAsync() => await _connection.CloseAsync(allowCommandsToComplete: false);
}
