using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Availability;

/// <summary>
/// The Redis deployment that the services coordinate through: one shared connection for ordinary commands, and
/// connections of their own for work that blocks (stream reads, <c>WAIT</c>), which would stall everybody else on the
/// shared one. With a Sentinel connection string (<c>host:port,...,serviceName=NAME</c>) the shared connection follows
/// the primary, and a dedicated one is opened to whoever is primary now.
/// </summary>
/// <remarks>Safe for concurrent use. It does not own the shared connection.</remarks>
public sealed class RedisDeployment
{
    private readonly Func<IConnectionMultiplexer> _shared;
    private readonly Func<ConfigurationOptions> _options;

    /// <summary>Creates the deployment; nothing is connected before the first use.</summary>
    /// <param name="shared">Gives the shared connection. It is called at each use, so it may throw while Redis is away.</param>
    /// <param name="options">Gives the options from which dedicated connections are derived.</param>
    public RedisDeployment(Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(options);
        _shared = shared;
        _options = options;
    }

    /// <summary>The shared connection. Do not send blocking commands through it.</summary>
    /// <exception cref="RedisConnectionException">There is none and none could be made.</exception>
    public IConnectionMultiplexer Connection => _shared();

    /// <summary>The database of the shared connection.</summary>
    public IDatabase Database => Connection.GetDatabase();

    /// <summary>
    /// Opens a connection of its own to the current primary, for commands that block. It stays with that node: when a
    /// command fails, dispose it and open another one, which goes to the primary of that moment.
    /// </summary>
    /// <param name="purpose">Shown in <c>CLIENT LIST</c>.</param>
    /// <param name="longestReply">How long a single command may block on the server; the reply timeout is set above it.</param>
    /// <param name="cancellationToken">Ends the wait; the attempt itself ends with the connect timeout of the options.</param>
    /// <exception cref="RedisConnectionException">No primary is known or it does not answer.</exception>
    public async Task<DedicatedConnection> OpenDedicatedAsync(string purpose, TimeSpan longestReply, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(purpose);
        var primary = CurrentPrimary();
        var options = _options().Clone();
        options.ServiceName = null;
        options.EndPoints.Clear();
        options.EndPoints.Add(primary);
        options.ClientName = $"{options.ClientName ?? options.Defaults.ClientName}:{purpose}".Replace(' ', '-');
        options.Protocol = RedisProtocol.Resp2;
        options.AbortOnConnectFail = true;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        // Below the block time the client would give up on a reply that is still to come, and the entries in it
        // would be pending although nobody has them.
        options.AsyncTimeout = (int)longestReply.TotalMilliseconds + Math.Max(options.AsyncTimeout, 2000);
        // Nobody subscribes here: this spares the second socket that the client would open.
        options.CommandMap = CommandMap.Create(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"], available: false);

        var connecting = ConnectionMultiplexer.ConnectAsync(options);
        try
        {
            return new DedicatedConnection(await connecting.WaitAsync(cancellationToken), primary);
        }
        catch (OperationCanceledException)
        {
            _ = connecting.ContinueWith(static t => t.Result.Dispose(), CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>The node that the shared connection takes for the primary.</summary>
    /// <exception cref="RedisConnectionException">None is connected, as during a failover.</exception>
    public EndPoint CurrentPrimary()
        => Array.Find(Connection.GetServers(), s => s.IsConnected && !s.IsReplica && s.ServerType != ServerType.Sentinel)?.EndPoint
           ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "No primary is connected.");
}
