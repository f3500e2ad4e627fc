using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// One primary of a cluster with its replicas: a connection of its own, which knows one endpoint, a name, and is led to the primary of the
/// moment, as that of a Sentinel deployment is. It is the same shard whichever of its nodes is the primary. Safe for concurrent use.
/// </summary>
internal sealed class ClusterShard : IPrimarySource, IAsyncDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);
    private static readonly string[] s_notShared = ["CLUSTER", "INFO", "SELECT"];

    // With INFO the client would find that it is in a cluster, follow MOVED, and connect to other nodes past the tunnel; with SELECT it
    // would send that before commands which it has no method for.
    private static readonly CommandMap s_shared = CommandMap.Create([.. s_notShared], available: false);
    private static readonly CommandMap s_dedicated =
        CommandMap.Create([.. s_notShared, "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"], available: false);

    private readonly ClusterFollower _cluster;
    private readonly ILogger _logger;
    // Where each primary was, for connections that still lead there.
    private readonly ConcurrentDictionary<EndPoint, string> _ids = new();
    private volatile string _primaryId;
    private volatile IConnectionMultiplexer? _connection;

    /// <param name="cluster">Where it is one of several.</param>
    /// <param name="index">Its number, from 0.</param>
    /// <param name="primaryId">The id of the primary.</param>
    /// <param name="primary">Where that is.</param>
    /// <param name="options">What the connections are made with, but for where they lead.</param>
    /// <param name="logger">Hears of failovers.</param>
    public ClusterShard(
        ClusterFollower cluster, int index, string primaryId, EndPoint primary, ConfigurationOptions options, ILogger logger)
    {
        _cluster = cluster;
        _logger = logger;
        _ids[primary] = _primaryId = primaryId;
        Index = index;
        Route = new PrimaryRoute(new FailoverObserver(logger, isAnnounced: false));
        Route.Follow(primary, planned: false);
        Options = options.Clone();
        new PrimaryTunnel(this, options.Tunnel).Lead(Options, string.Create(CultureInfo.InvariantCulture, $"cluster-shard-{index + 1}"));
        Options.CommandMap = s_shared;
        Options.ConfigurationChannel = "";
        // Without INFO it assumes 3.0.
        Options.DefaultVersion = new Version(7, 0);
        Connected = Task.Run(ConnectAsync);
    }

    /// <summary>Its number, from 0: in the order in which they were found.</summary>
    public int Index { get; }

    /// <summary>Ends when there is a connection, be it that no node answers it yet.</summary>
    public Task Connected { get; }

    public ConfigurationOptions Options { get; }

    public string PrimaryId => _primaryId;

    /// <inheritdoc/>
    public PrimaryRoute Route { get; }

    /// <inheritdoc/>
    public string? Refusal => _cluster.Refusal;

    /// <inheritdoc/>
    public CommandMap? DedicatedCommands => s_dedicated;

    /// <summary>The connection that all share.</summary>
    /// <exception cref="RedisConnectionException">There is none yet.</exception>
    public IConnectionMultiplexer Connection => _connection ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect,
        $"Shard {Index + 1} of the cluster is not connected yet.");

    /// <inheritdoc/>
    public Task<EndPoint> PrimaryAsync(TimeSpan bound, CancellationToken cancellationToken) => Task.FromResult(Route.Primary!);

    /// <inheritdoc/>
    public PromotableCount PromotableReplicasOf(EndPoint primary, IReadOnlyDictionary<string, long> followers)
        => _cluster.Replicas.Of(_ids.GetValueOrDefault(primary, _primaryId), followers);

    /// <inheritdoc/>
    public bool IsCurrent(in PromotableCount count) => _cluster.Replicas.IsCurrent(count);

    /// <inheritdoc/>
    public void Refresh() => _cluster.Refresh();

    /// <summary>A section of <c>INFO</c> of the primary, which the shared connection cannot be asked for.</summary>
    /// <exception cref="RedisUnavailableException">It does not answer.</exception>
    public async Task<(EndPoint? At, string Info)> InfoAsync(string section, CancellationToken cancellationToken)
    {
        var at = Route.Primary!;
        return (at, await _cluster.InfoAsync(at, section, cancellationToken));
    }

    /// <summary>
    /// The primary of now, if it had everything of a former one by the time that the former was demoted; null when that is not known within
    /// the bound. Both remember the id of the history that they had in common, and where each left it
    /// (<c>master_replid2</c>, <c>second_repl_offset</c>); a former primary that had more than the new one is copied afresh, and forgets
    /// it.
    /// </summary>
    /// <param name="former">Who was demoted.</param>
    /// <param name="bound">How long it may take until the former follows.</param>
    public async Task<EndPoint?> FindSuccessorAsync(EndPoint former, TimeSpan bound)
    {
        var began = Stopwatch.GetTimestamp();
        Refresh();
        while (Stopwatch.GetElapsedTime(began) < bound)
        {
            var changed = Route.Changed;
            var primary = Route.Primary!;
            if (!primary.Equals(former))
            {
                try
                {
                    var now = ReplicationHistory.Parse(await _cluster.InfoAsync(primary, "replication", CancellationToken.None));
                    var then = ReplicationHistory.Parse(await _cluster.InfoAsync(former, "replication", CancellationToken.None));
                    if (now.IsPrimary && !then.IsPrimary && then.Id == now.Id)
                    {
                        return then.FormerId == now.FormerId && then.LeftAt > 0 && then.LeftAt <= now.LeftAt ? primary : null;
                    }
                }
                catch (RedisUnavailableException)
                {
                    // It may answer in a moment.
                }
            }
            await Task.WhenAny(changed, Task.Delay(s_look));
        }
        return null;
    }

    /// <summary>Its slots.</summary>
    /// <returns><c>0-5460,5462</c>.</returns>
    public string DescribeSlots() => _cluster.DescribeSlotsOf(this);

    /// <summary>Another node is the primary, or the same one is elsewhere.</summary>
    /// <param name="primaryId">Its id.</param>
    /// <param name="primary">Where it is.</param>
    /// <param name="isGivenUp">The one before is alive and gives it up, and will answer what it was sent.</param>
    public void Follow(string primaryId, EndPoint primary, bool isGivenUp)
    {
        var former = Route.Primary!;
        _ids[primary] = _primaryId = primaryId;
        if (!former.Equals(primary))
        {
            HandOver.Begin(Route, former, primary, isGivenUp, _logger);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Connected.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_connection is { } connection)
        {
            await connection.CloseAsync(allowCommandsToComplete: false);
        }
    }

    private async Task ConnectAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(Options);
        Route.Attach(connection);
        _connection = connection;
    }
}
