using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The Redis deployment that the services coordinate through, and the one door to it: every script and command goes
/// through <see cref="EvaluateAsync"/> or <see cref="RunAsync"/>, which run it again when a failover kept it from being
/// run, and tell by the exception whether it may have been applied. With a Sentinel connection string
/// (<c>host:port,...,serviceName=NAME</c>) the connection follows the primary, where <c>ConnectAsync</c> or
/// <c>AddRedisCoordination</c> has made it. A Redis Cluster (<see cref="ConnectClusterAsync"/>) is followed too: each of its shards as
/// such a deployment, and where their slots are.
/// </summary>
/// <remarks>
/// One shared connection, in a cluster one for each shard, serves ordinary commands. Work that blocks (stream reads, <c>WAIT</c>), which
/// would stall everybody else, gets connections of its own.
/// Safe for concurrent use. It owns the shared connection only when <see cref="ConnectAsync(ConfigurationOptions, ILoggerFactory?, RegionMonitor?)"/>
/// made it, and those to a cluster always.
/// </remarks>
public sealed class RedisDeployment : IAsyncDisposable
{
    // One of these two.
    private readonly RedisShard? _shard;
    private readonly ClusterShards? _cluster;
    private readonly IReadOnlyList<RedisShard> _single;
    private readonly Func<ConfigurationOptions> _options;
    private readonly PrimaryFollower? _owned;

    /// <summary>
    /// Creates the deployment over a connection of yours; nothing is connected before the first use. What you connect is what it
    /// uses: with Sentinels it is left to the client to find the next primary, within its own time, and planned switchovers are
    /// not known as such. To follow the primary use <see cref="ConnectAsync(ConfigurationOptions, ILoggerFactory?, RegionMonitor?)"/>, or
    /// <c>AddRedisCoordination</c> in a host.
    /// </summary>
    /// <param name="shared">Gives the shared connection. It is called at each use, so it may throw while Redis is away.</param>
    /// <param name="options">
    /// Gives the options that the shared connection was made with; dedicated connections are derived from them.
    /// </param>
    /// <param name="region">
    /// The region of this deployment: every script is then checked on the server, and does nothing where that region may not write.
    /// Null without regions.
    /// </param>
    public RedisDeployment(Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options, RegionMonitor? region = null)
        : this(shared, options, region, owned: null)
    {
    }

    private RedisDeployment(Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options, RegionMonitor? region,
        PrimaryFollower? owned)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(options);
        _shard = new RedisShard(shared, options, region?.Guard);
        _single = [_shard];
        _options = options;
        _owned = owned;
        if (region is not null)
        {
            region.Switched += state => _shard.Follower?.RegionSwitched(state.IsActive);
        }
    }

    private RedisDeployment(ConfigurationOptions options, ILoggerFactory loggers, bool forcesFailover)
    {
        _options = () => options;
        _single = [];
        _cluster = new ClusterShards(new ClusterFollower(options, loggers.CreateLogger<ClusterFollower>(), forcesFailover), options);
    }

    /// <summary>
    /// The shared connection; in a cluster that of one of the shards, which does for pub/sub and not for keys. Do not send blocking
    /// commands through it.
    /// </summary>
    /// <exception cref="RedisConnectionException">There is none and none could be made.</exception>
    public IConnectionMultiplexer Connection => (_shard ?? _cluster!.Any).Connection;

    /// <summary>
    /// The database of the shared connection, for what need not survive a failover: commands sent through it are not run
    /// again, and throw the client's own exceptions. In a cluster it has the keys of one shard only: use <see cref="DatabaseOf"/>.
    /// </summary>
    /// <inheritdoc cref="Connection" path="/exception"/>
    public IDatabase Database => (_shard ?? _cluster!.Any).Database;

    /// <summary>What the shared connection puts before its channels, as <c>channelPrefix</c> says; empty for nothing.</summary>
    internal string ChannelPrefix => (string?)_options().ChannelPrefix ?? "";

    /// <summary>All there are; of a cluster those that have slots, none before they are known.</summary>
    internal IReadOnlyList<RedisShard> Shards => _cluster?.All ?? _single;

    /// <summary>
    /// Whether it is a Redis Cluster, whose keys are divided by their slots: what one script reads and writes is in one slot then.
    /// </summary>
    public bool IsCluster => _cluster is not null;

    /// <summary>Of a cluster: ends when the slots are known and the shards connected.</summary>
    internal Task Known => _cluster?.Cluster.Known ?? Task.CompletedTask;

    /// <summary>Of a cluster: ends when another shard has some slot.</summary>
    internal Task Redivided => _cluster!.Cluster.Redivided;

    /// <summary>
    /// The database that has a key, as <see cref="Database"/>; in a cluster that of its shard, at this moment: while slots move, commands
    /// may be refused with an exception of which <see cref="RedisFailure"/> says that nothing was applied.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <inheritdoc cref="Connection" path="/exception"/>
    public IDatabase DatabaseOf(RedisKey key) => ShardOf(key).Database;

    /// <summary>
    /// Connects with <see cref="RedisConnectionDefaults"/> and follows the primary where there are Sentinels. Dispose the
    /// deployment to close everything. In a host use <c>AddRedisCoordination</c>.
    /// </summary>
    /// <param name="options">Servers, or Sentinels with a service name, and credentials. Not changed.</param>
    /// <param name="loggers">Where to log; null for nowhere.</param>
    /// <param name="region">The region of this deployment; null without regions. Dispose of it afterwards.</param>
    /// <exception cref="RedisConnectionException">Nothing answers and the options say that this is an error.</exception>
    public static async Task<RedisDeployment> ConnectAsync(
        ConfigurationOptions options, ILoggerFactory? loggers = null, RegionMonitor? region = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var own = options.Clone();
        RedisConnectionDefaults.Apply(own);
        var follower = new PrimaryFollower((loggers ?? NullLoggerFactory.Instance).CreateLogger<PrimaryFollower>());
        follower.Attach(own);
        try
        {
            var connection = await ConnectionMultiplexer.ConnectAsync(own);
            return new RedisDeployment(() => connection, () => own, region, follower);
        }
        catch
        {
            await follower.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Connects to a Redis Cluster with <see cref="RedisConnectionDefaults"/> and follows it: which of its nodes are primaries, and which
    /// slots each shard has. Returns when the shards are connected, or when the connect timeout is over; what is away then is found when
    /// it is there. Dispose the deployment to close everything. In a host use <c>AddRedisClusterCoordination</c>.
    /// </summary>
    /// <param name="options">Some of the nodes, and credentials. Not changed.</param>
    /// <param name="loggers">Where to log; null for nowhere.</param>
    /// <param name="forcesFailover">
    /// Whether a replica is told to take the place of a primary whose process is gone (<c>CLUSTER FAILOVER FORCE</c>), instead of waiting
    /// until the nodes find it silent. Default false: what only that primary had is lost then even if it lives, of which docs/cluster.md
    /// says more. What was acknowledged at level <see cref="Durability.Replica"/> is not.
    /// </param>
    /// <exception cref="ArgumentException">The options are those of Sentinels, of a proxy, or of another database than 0.</exception>
    public static async Task<RedisDeployment> ConnectClusterAsync(
        ConfigurationOptions options, ILoggerFactory? loggers = null, bool forcesFailover = false)
    {
        var deployment = ForCluster(options, loggers ?? NullLoggerFactory.Instance, forcesFailover);
        await Task.WhenAny(deployment.Known, Task.Delay(deployment._options().ConnectTimeout));
        return deployment;
    }

    /// <summary>The same, connected in the background.</summary>
    internal static RedisDeployment ForCluster(ConfigurationOptions options, ILoggerFactory loggers, bool forcesFailover)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!string.IsNullOrEmpty(options.ServiceName) || options.Proxy != Proxy.None || options.DefaultDatabase is not (null or 0)
            || options.EndPoints.Count == 0)
        {
            throw new ArgumentException(
                "A cluster is given by some of its nodes: without serviceName, without a proxy, and with database 0, which is the only one.",
                nameof(options));
        }
        var own = options.Clone();
        RedisConnectionDefaults.Apply(own);
        return new RedisDeployment(own, loggers, forcesFailover);
    }

    /// <param name="connectionString">
    /// As StackExchange.Redis reads it: <c>localhost:6379</c>, or <c>host:port,...,serviceName=NAME</c> for Sentinels. With
    /// <c>topology=cluster</c>, a word of this library, the servers are nodes of a Redis Cluster; <c>failover=forced</c> beside it is
    /// <c>forcesFailover</c> of <see cref="ConnectClusterAsync"/>.
    /// </param>
    /// <param name="loggers">Where to log; null for nowhere.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read.</exception>
    /// <inheritdoc cref="ConnectAsync(ConfigurationOptions, ILoggerFactory?, RegionMonitor?)"/>
    public static Task<RedisDeployment> ConnectAsync(string connectionString, ILoggerFactory? loggers = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return RedisConnectionString.IsOfCluster(connectionString, out var rest, out var forcesFailover)
            ? ConnectClusterAsync(ConfigurationOptions.Parse(rest), loggers, forcesFailover)
            : ConnectAsync(ConfigurationOptions.Parse(rest), loggers);
    }

    /// <summary>
    /// Runs a script on the primary, again if a failover keeps it from being run, for up to 5 s in all.
    /// </summary>
    /// <param name="script">The script. Once it was sent it is run again only if it is <see cref="RedisScript.Repeatable"/>.</param>
    /// <param name="keys">Its keys, at least one; in a cluster all in one slot, which a common hash tag sees to.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="cancellationToken">
    /// Cancelled already: nothing is sent. Later it ends the wait; what was sent may be applied all the same.
    /// </param>
    /// <exception cref="ArgumentException">The keys are in several slots of a cluster; nothing was sent.</exception>
    /// <exception cref="RedisServerException">The script raised an error; nothing after that point was written.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it was certainly not applied.</exception>
    /// <exception cref="RedisOutcomeUnknownException">Its answer was lost; it may have been applied.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(script);
        ArgumentNullException.ThrowIfNull(arguments);
        return ShardOf(keys).EvaluateAsync(script, keys, arguments, cancellationToken).AsTask();
    }

    /// <summary>
    /// Runs a command on the shared connection, again if a failover keeps it from being run, for up to 5 s in all.
    /// </summary>
    /// <remarks>
    /// While somebody listens to the library's spans, the profiler of the connection is ours: one that was registered with it
    /// hears nothing more.
    /// </remarks>
    /// <param name="key">A key that the command touches.</param>
    /// <param name="command">The command; called once for each attempt.</param>
    /// <param name="repeatable">Whether it may be run twice: true for what only reads, or leads to the same state each time.</param>
    /// <param name="cancellationToken">
    /// Cancelled already: nothing is sent. Later it ends the wait; what was sent may be applied all the same.
    /// </param>
    /// <exception cref="RedisServerException">The server refused the command.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it was certainly not applied.</exception>
    /// <exception cref="RedisOutcomeUnknownException">Its answer was lost; it may have been applied.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task<T> RunAsync<T>(
        RedisKey key, Func<IDatabase, Task<T>> command, bool repeatable, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return ShardOf(key).RunAsync(key, command, repeatable, cancellationToken);
    }

    /// <summary>Until the region of this deployment accepts writes, as far as is known; at once without regions.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task WaitUntilActiveAsync(CancellationToken cancellationToken = default)
        => _shard?.WaitUntilActiveAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>
    /// Closes what <see cref="ConnectAsync(ConfigurationOptions, ILoggerFactory?, RegionMonitor?)"/> opened, and the connections to a
    /// cluster; otherwise does nothing.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.Cluster.DisposeAsync();
        }
        if (_owned is not null)
        {
            await Connection.CloseAsync(allowCommandsToComplete: false);
            await _owned.DisposeAsync();
        }
    }

    /// <summary>Where a key is.</summary>
    internal RedisShard ShardOf(RedisKey key) => _shard ?? _cluster!.ShardOf(key);

    /// <summary>Where a script goes.</summary>
    /// <exception cref="ArgumentException">The keys are in several slots of a cluster.</exception>
    internal RedisShard ShardOf(RedisKey[] keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentOutOfRangeException.ThrowIfZero(keys.Length);
        return _shard ?? _cluster!.ShardOf(keys);
    }
}
