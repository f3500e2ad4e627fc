using System.Diagnostics;
using System.Globalization;
using System.Net;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// A connection of its own to one Sentinel: hears all it publishes, and asks it. Reconnects by itself. Not by way of the
/// door: this is how the door learns where it leads.
/// </summary>
internal sealed class SentinelLink : IAsyncDisposable
{
    private readonly string _service;
    private readonly ConnectionMultiplexer _connection;
    private readonly IServer _server;
    private readonly Action<SentinelLink, string, string> _heard;
    private bool _subscribed;

    private SentinelLink(EndPoint node, string service, ConnectionMultiplexer connection, Action<SentinelLink, string, string> heard)
    {
        Node = node;
        _service = service;
        _connection = connection;
        _server = connection.GetServer(connection.GetEndPoints()[0]);
        _heard = heard;
    }

    public EndPoint Node { get; }

    /// <summary>What it said last; null when it never answered or its last answer is old.</summary>
    public SentinelView? View { get; private set; }

    /// <summary>What it last refused to answer, as for want of a permission; null when it answers or is away.</summary>
    public RedisServerException? Refusal { get; private set; }

    /// <summary>Options of a connection to one node with the credentials and the transport of <paramref name="options"/>.</summary>
    public static ConfigurationOptions OptionsFor(ConfigurationOptions options, EndPoint node, string purpose, Tunnel? tunnel)
    {
        var own = options.Clone();
        own.ServiceName = null;
        own.EndPoints.Clear();
        own.EndPoints.Add(node);
        own.Tunnel = tunnel;
        own.TieBreaker = "";
        own.ConfigurationChannel = "";
        // Is for the channels of the application: a Sentinel would be listened to on none that it uses.
        own.ChannelPrefix = default;
        own.Protocol = RedisProtocol.Resp2;
        own.ReconnectRetryPolicy = new PromptReconnect(route: null);
        own.ClientName = $"{options.ClientName ?? options.Defaults.ClientName}:{purpose}".Replace(' ', '-');
        return own;
    }

    /// <summary>Connects; a Sentinel that is away is tried again until the link is disposed.</summary>
    public static async Task<SentinelLink> OpenAsync(
        ConfigurationOptions options, EndPoint node, string service, Tunnel? tunnel, Action<SentinelLink, string, string> heard)
    {
        var own = OptionsFor(options, node, "sentinels", tunnel);
        own.CommandMap = CommandMap.Sentinel;
        own.AbortOnConnectFail = false;
        own.ConnectTimeout = 1000;
        own.AsyncTimeout = 1000;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        return new SentinelLink(node, service, await ConnectionMultiplexer.ConnectAsync(own), heard);
    }

    /// <summary>Asks for the primary; null when it does not answer or knows of none.</summary>
    public async Task<SentinelView?> AskAsync()
    {
        try
        {
            if (!_subscribed && _connection.IsConnected)
            {
                await _connection.GetSubscriber().SubscribeAsync(RedisChannel.Pattern("*"),
                    (channel, message) => _heard(this, channel.ToString(), (string?)message ?? ""));
                _subscribed = true;
            }
            // Each time: another one may be behind the same address.
            var id = _server.ExecuteAsync("SENTINEL", "MYID");
            // In this order: an address that is newer than the epoch beside it is at worst ignored for a moment, while an
            // old one beside a new epoch would be believed.
            var state = _server.SentinelMasterAsync(_service);
            var replicas = _server.SentinelReplicasAsync(_service);
            var others = _server.SentinelSentinelsAsync(_service);
            var address = _server.SentinelGetMasterAddressByNameAsync(_service);
            Refusal = null;
            var fields = Fields(await state);
            return View = await address is { } primary
                ? new SentinelView((string)(await id)!, primary, Number("config-epoch"), fields["flags"], (int)Number("quorum"),
                    Up(await replicas), Others(await others), Stopwatch.GetTimestamp())
                : null;

            long Number(string name) => long.Parse(fields[name], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is ObjectDisposedException || e.IsOfRedis())
        {
            Refusal = e as RedisServerException;
            return View = null;
        }
    }

    private static List<SentinelReplicaView> Up(KeyValuePair<string, string>[][] replicas)
    {
        var up = new List<SentinelReplicaView>();
        foreach (var fields in replicas.Select(Fields))
        {
            if (fields["flags"].Split(',').Any(f => f is "s_down" or "o_down" or "disconnected"))
            {
                continue;
            }
            // An old primary that is back, and is not told yet whom to follow, has nothing to acknowledge.
            var isReplica = fields.GetValueOrDefault("role-reported") == "slave";
            var isLinked = fields.GetValueOrDefault("master-link-status") == "ok";
            var age = long.TryParse(fields.GetValueOrDefault("info-refresh"), CultureInfo.InvariantCulture, out var ms) ? ms : 0;
            up.Add(new(fields["name"], isReplica && isLinked, isReplica && !isLinked,
                Stopwatch.GetTimestamp() - (age * Stopwatch.Frequency / 1000)));
        }
        return up;
    }

    private static List<(string Id, EndPoint Node)> Others(KeyValuePair<string, string>[][] sentinels)
        => [.. sentinels.Select(Fields).Select(f => (f["runid"], Node: NodeAddress.Parse(f["ip"], f["port"])))
            .Where(s => s.Node is not null).Select(s => (s.Item1, s.Node!))];

    private static Dictionary<string, string> Fields(KeyValuePair<string, string>[] fields)
        => fields.ToDictionary(f => f.Key, f => f.Value, StringComparer.Ordinal);

    /// <summary>
    /// Whether it could start a failover with the Sentinels that it reaches (<c>SENTINEL CKQUORUM</c>, and not in TILT, in
    /// which it only looks on for 30 s because it did not run for 2 s or its clock jumped); null when it does not answer.
    /// </summary>
    public async Task<bool?> CanFailOverAsync()
    {
        try
        {
            var info = _server.ExecuteAsync("INFO", "sentinel");
            return ((string?)await _server.ExecuteAsync("SENTINEL", "CKQUORUM", _service))?.StartsWith("OK",
                StringComparison.Ordinal) == true
                && ((string?)await info)?.Contains("sentinel_tilt:0", StringComparison.Ordinal) == true;
        }
        catch (RedisServerException)
        {
            return false;
        }
        catch (Exception e) when (e is ObjectDisposedException || e.IsOfRedis())
        {
            return null;
        }
    }

    /// <summary>Asks it to promote a replica without a vote.</summary>
    /// <exception cref="RedisServerException">It refuses: a failover is in progress, or no replica is good enough.</exception>
    public Task FailOverAsync() => _server.SentinelFailoverAsync(_service);

    public async ValueTask DisposeAsync() => await _connection.CloseAsync(allowCommandsToComplete: false);
}
