using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The Redis deployment that the services coordinate through: one shared connection for ordinary commands, and
/// connections of their own for work that blocks (stream reads, <c>WAIT</c>), which would stall everybody else on the
/// shared one. With a Sentinel connection string (<c>host:port,...,serviceName=NAME</c>) and a <see cref="PrimaryFollower"/>
/// the shared connection follows the primary, and a dedicated one is opened to whoever is primary now.
/// </summary>
/// <remarks>Safe for concurrent use. It owns the shared connection only when <see cref="ConnectAsync"/> made it.</remarks>
public sealed class RedisDeployment : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly Func<IConnectionMultiplexer> _shared;
    private readonly Func<ConfigurationOptions> _options;
    private readonly PrimaryFollower? _owned;

    /// <summary>Creates the deployment; nothing is connected before the first use.</summary>
    /// <param name="shared">Gives the shared connection. It is called at each use, so it may throw while Redis is away.</param>
    /// <param name="options">
    /// Gives the options from which dedicated connections are derived: those of the shared connection, attached to a
    /// <see cref="PrimaryFollower"/> as they were when it was made.
    /// </param>
    public RedisDeployment(Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options)
        : this(shared, options, owned: null)
    {
    }

    private RedisDeployment(Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options, PrimaryFollower? owned)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(options);
        _shared = shared;
        _options = options;
        _owned = owned;
    }

    /// <summary>The shared connection. Do not send blocking commands through it.</summary>
    /// <exception cref="RedisConnectionException">There is none and none could be made.</exception>
    public IConnectionMultiplexer Connection
    {
        get
        {
            var connection = _shared();
            Route?.Attach(connection);
            return connection;
        }
    }

    /// <summary>The database of the shared connection.</summary>
    public IDatabase Database => Connection.GetDatabase();

    /// <summary>The node behind the shared connection, for commands about the server itself.</summary>
    /// <exception cref="RedisConnectionException">None is connected, as during a failover.</exception>
    public IServer PrimaryServer
        => Array.Find(Connection.GetServers(), s => s.IsConnected && !s.IsReplica && s.ServerType != ServerType.Sentinel)
           ?? throw NoPrimary();

    /// <summary>Who follows the primary of this deployment; null without Sentinels.</summary>
    public PrimaryFollower? Follower => (_options().Tunnel as PrimaryTunnel)?.Follower;

    private PrimaryRoute? Route => Follower?.Route;

    /// <summary>
    /// Connects with <see cref="RedisConnectionDefaults"/> and follows the primary where there are Sentinels. Dispose the
    /// deployment to close everything. In a host use <c>AddRedisCoordination</c>.
    /// </summary>
    /// <param name="options">Servers, or Sentinels with a service name, and credentials. Not changed.</param>
    /// <param name="loggers">Where to log; null for nowhere.</param>
    /// <exception cref="RedisConnectionException">Nothing answers and the options say that this is an error.</exception>
    public static async Task<RedisDeployment> ConnectAsync(ConfigurationOptions options, ILoggerFactory? loggers = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var own = options.Clone();
        RedisConnectionDefaults.Apply(own);
        var follower = new PrimaryFollower(
            loggers?.CreateLogger<PrimaryFollower>() ?? Microsoft.Extensions.Logging.Abstractions.NullLogger<PrimaryFollower>.Instance);
        follower.Attach(own);
        try
        {
            var connection = await ConnectionMultiplexer.ConnectAsync(own);
            return new RedisDeployment(() => connection, () => own, follower);
        }
        catch
        {
            await follower.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Runs a command on the shared connection, again if a failover keeps it from being run, for up to 5 s in all.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="repeatable">Whether it may be run twice: true for what only reads, or leads to the same state each time.</param>
    /// <param name="cancellationToken">Ends the wait; what was sent may be applied all the same.</param>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it was certainly not applied.</exception>
    /// <exception cref="RedisOutcomeUnknownException">Its answer was lost; it may have been applied.</exception>
    public Task<T> RunAsync<T>(Func<IDatabase, Task<T>> command, bool repeatable, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        var connection = Connection;
        return RedisRetry.RunAsync(connection, () => command(connection.GetDatabase()), repeatable, cancellationToken);
    }

    /// <summary>
    /// Runs steps that build on one another, from the beginning again when the primary changed meanwhile: what an earlier
    /// step wrote may be lost with the old primary although a later one, made at the new primary, is acknowledged.
    /// </summary>
    /// <param name="steps">The steps, each of them repeatable; the last one should be durable.</param>
    /// <param name="cancellationToken">Ends the repetitions.</param>
    public async Task<T> OnOnePrimaryAsync<T>(Func<Task<T>> steps, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(steps);
        while (true)
        {
            var generation = Route?.Generation;
            var result = await steps();
            if (generation == Route?.Generation)
            {
                return result;
            }
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>
    /// Opens a connection of its own to the current primary, for commands that block. It stays with that node: when a
    /// command fails, dispose it and open another one, which goes to the primary of that moment. While a failover is under
    /// way it waits for the new primary, for up to 5 s.
    /// </summary>
    /// <param name="purpose">Shown in <c>CLIENT LIST</c>.</param>
    /// <param name="longestReply">How long a single command may block on the server; the reply timeout is set above it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RedisConnectionException">No primary is known or it does not answer.</exception>
    public Task<DedicatedConnection> OpenDedicatedAsync(string purpose, TimeSpan longestReply, CancellationToken cancellationToken)
        => OpenDedicatedAsync(purpose, longestReply, RedisRetry.Bound, cancellationToken);

    /// <param name="bound">How long to wait for a primary; without Sentinels, and when it is over, there is one attempt.</param>
    /// <inheritdoc cref="OpenDedicatedAsync(string, TimeSpan, CancellationToken)"/>
    internal async Task<DedicatedConnection> OpenDedicatedAsync(string purpose, TimeSpan longestReply, TimeSpan bound, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(purpose);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var changed = Route?.Changed;
            using var attempting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var attempt = OpenOnceAsync(purpose, longestReply, attempting.Token);
            if (changed is not null && await Task.WhenAny(attempt, changed) == changed)
            {
                // To a node that is dead it may take the whole connect timeout.
                await attempting.CancelAsync();
            }
            try
            {
                var connection = await attempt;
                if (Route is not { } route || connection.Node.Equals(route.Primary))
                {
                    return connection;
                }
                await connection.DisposeAsync();
            }
            catch (OperationCanceledException) when (attempting.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                // Given up above.
            }
            catch (RedisConnectionException) when (changed is not null && Stopwatch.GetElapsedTime(start) < bound)
            {
                await Task.WhenAny(changed, Task.Delay(s_pause, cancellationToken));
            }
        }
    }

    /// <summary>The node that the shared connection takes for the primary.</summary>
    /// <exception cref="RedisConnectionException">None is connected, or, with Sentinels, none is known.</exception>
    public EndPoint CurrentPrimary() => Route is { } route ? route.Primary ?? throw NoPrimary() : PrimaryServer.EndPoint;

    /// <summary>Closes what <see cref="ConnectAsync"/> opened; otherwise does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_owned is not null)
        {
            await _shared().CloseAsync(allowCommandsToComplete: false);
            await _owned.DisposeAsync();
        }
    }

    private static RedisConnectionException NoPrimary() => new(ConnectionFailureType.UnableToConnect, "No primary is connected.");

    private async Task<DedicatedConnection> OpenOnceAsync(string purpose, TimeSpan longestReply, CancellationToken cancellationToken)
    {
        var primary = CurrentPrimary();
        var options = _options().Clone();
        if (options.Tunnel is PrimaryTunnel tunnel)
        {
            options.Tunnel = new NodeTunnel(tunnel.Follower.Route, primary, tunnel.Inner);
        }
        options.ServiceName = null;
        options.EndPoints.Clear();
        options.EndPoints.Add(primary);
        options.ClientName = $"{options.ClientName ?? options.Defaults.ClientName}:{purpose}".Replace(' ', '-');
        options.Protocol = RedisProtocol.Resp2;
        options.AbortOnConnectFail = true;
        options.ConnectRetry = 1;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        // Below the block time the client would give up on a reply that is still to come, and the entries in it
        // would be pending although nobody has them.
        options.AsyncTimeout = (int)longestReply.TotalMilliseconds + Math.Max(options.AsyncTimeout, 2000);
        options.CommandMap = ConnectionAttempt.WithoutSubscriptions;
        return new DedicatedConnection(await ConnectionAttempt.ConnectAsync(options, cancellationToken), primary);
    }
}
