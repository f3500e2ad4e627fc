using System.Diagnostics;
using System.Net;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Regions.Permission;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// One primary with its replicas, and the way to it: which node it is now, the shared connection, dedicated ones, and
/// the rules by which a command that failed is run again. A deployment with Sentinels is one shard; a Redis Cluster has one for each of
/// its primaries. Safe for concurrent use.
/// </summary>
/// <param name="shared">Gives the shared connection; see <see cref="RedisDeployment"/>.</param>
/// <param name="options">Gives the options from which dedicated connections are derived.</param>
/// <param name="guard">Lets writes be made in the active region only; null without regions.</param>
/// <param name="owner">Of a cluster: says which shard has a key by now; null where there is one.</param>
/// <param name="index">Its number among the shards, from 0.</param>
internal sealed class RedisShard(
    Func<IConnectionMultiplexer> shared, Func<ConfigurationOptions> options, RegionGuard? guard = null,
    Func<RedisKey, RedisShard>? owner = null, int index = 0)
{
    /// <summary>How long a command is tried: 5 s, the client's default timeout, which a failover fits into.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_openPause = TimeSpan.FromMilliseconds(100);

    // Asked once: it is on the way of every command.
    private StrongBox<IPrimarySource?>? _source;

    /// <summary>The shared connection. Do not send blocking commands through it.</summary>
    /// <exception cref="RedisConnectionException">There is none and none could be made.</exception>
    public IConnectionMultiplexer Connection
    {
        get
        {
            var connection = shared();
            Route?.Attach(connection);
            return connection;
        }
    }

    /// <summary>The database of the shared connection, for what <see cref="RedisDeployment.RunAsync"/> cannot do; say there why.</summary>
    /// <inheritdoc cref="Connection" path="/exception"/>
    public IDatabase Database => Connection.GetDatabase();

    /// <summary>The node behind the shared connection, for commands about the server itself.</summary>
    /// <exception cref="RedisConnectionException">None is connected, as during a failover.</exception>
    public IServer Server
        => Array.Find(Connection.GetServers(), s => s.IsConnected && !s.IsReplica && s.ServerType != ServerType.Sentinel)
           ?? throw NoPrimary();

    /// <summary>The node that the shared connection takes for the primary.</summary>
    /// <exception cref="RedisConnectionException">None is connected, or, with Sentinels, none is known.</exception>
    public EndPoint Primary => Route is { } route ? route.Primary ?? throw NoPrimary() : Server.EndPoint;

    /// <summary>The same; null where there is none.</summary>
    public EndPoint? KnownPrimary
    {
        get
        {
            try
            {
                return Primary;
            }
            catch (RedisConnectionException)
            {
                return null;
            }
        }
    }

    /// <summary>Its number among the shards, from 0.</summary>
    public int Index => index;

    /// <summary>Who knows the primary; null for servers without Sentinels.</summary>
    public IPrimarySource? Source => (_source ??= new((options().Tunnel as PrimaryTunnel)?.Source)).Value;

    /// <summary>Who follows the primary by what Sentinels say; null without Sentinels.</summary>
    public PrimaryFollower? Follower => Source as PrimaryFollower;

    /// <summary>Lets writes be made in the active region only; null without regions.</summary>
    public RegionGuard? Guard => guard;

    /// <summary>The script as it is to be sent.</summary>
    public RedisScript Guarded(RedisScript script) => guard is null || script.IsForAnyRegion ? script : script.Guarded(guard);

    /// <summary>Until the region of this deployment is the active one: at once without regions.</summary>
    public Task WaitUntilActiveAsync(CancellationToken cancellationToken)
        => guard?.WaitUntilActiveAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Where the connections go and what commands report to; null for servers without Sentinels.</summary>
    public PrimaryRoute? Route => Source?.Route;

    /// <summary>
    /// Runs a script by its hash, and by its text when the server does not know it. What was certainly not applied is run
    /// again, and what may have been applied if the script is repeatable; both within <see cref="Bound"/>.
    /// </summary>
    /// <inheritdoc cref="RedisDeployment.EvaluateAsync" path="/exception"/>
    public ValueTask<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken = default)
        => CommandSpan.IsWanted
            ? TraceAsync(script, keys, arguments, cancellationToken)
            : TryAsync(script, keys, arguments, cancellationToken);

    /// <summary>What is about this shard itself, and has no key.</summary>
    /// <inheritdoc cref="RedisDeployment.RunAsync"/>
    public Task<T> RunAsync<T>(Func<IDatabase, Task<T>> command, bool repeatable, CancellationToken cancellationToken = default)
        => RunAsync(null, command, repeatable, cancellationToken);

    /// <inheritdoc cref="RedisDeployment.RunAsync"/>
    public Task<T> RunAsync<T>(
        RedisKey? key, Func<IDatabase, Task<T>> command, bool repeatable, CancellationToken cancellationToken = default)
        => CommandSpan.IsWanted ? TraceAsync(command, repeatable, key, cancellationToken)
            : TryAsync(command, repeatable, key, cancellationToken);

    /// <summary>A section of <c>INFO</c> of the primary, and which node that is.</summary>
    /// <exception cref="RedisUnavailableException">It does not answer.</exception>
    public Task<(EndPoint? At, string Info)> InfoAsync(string section, CancellationToken cancellationToken)
        => Source is ClusterShard cluster
            ? cluster.InfoAsync(section, cancellationToken)
            : RunAsync(async database =>
            {
                var at = KnownPrimary;
                return (at, (string)(await database.ExecuteAsync("INFO", [section], CommandFlags.DemandMaster))!);
            }, repeatable: true, cancellationToken);

    /// <summary>
    /// A command on a dedicated connection has failed so: where a node has said that another one has the slot, or was demoted while it
    /// blocked, that is looked after at once.
    /// </summary>
    public void Noticed(Exception failure)
    {
        if (Source is { } source && (RedisFailure.IsElsewhere(failure)
            || (failure is RedisServerException && failure.Message.StartsWith("UNBLOCKED", StringComparison.Ordinal))))
        {
            source.Refresh();
        }
    }

    /// <summary>
    /// Opens a connection of its own to the current primary, for commands that block. It stays with that node: when a
    /// command fails, dispose it and open another one, which goes to the primary of that moment. While a failover is under
    /// way it waits for the new primary.
    /// </summary>
    /// <param name="purpose">Shown in <c>CLIENT LIST</c>.</param>
    /// <param name="longestReply">How long a single command may block on the server; the reply timeout is set above it.</param>
    /// <param name="bound">How long to wait for a primary; without Sentinels, and when it is over, there is one attempt.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RedisConnectionException">No primary is known or it does not answer.</exception>
    public async Task<DedicatedConnection> OpenDedicatedAsync(
        string purpose, TimeSpan longestReply, TimeSpan bound, CancellationToken cancellationToken)
    {
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
                await Task.WhenAny(changed, Task.Delay(s_openPause, cancellationToken));
            }
        }
    }

    private RedisConnectionException NoPrimary() => new(ConnectionFailureType.UnableToConnect,
        Source?.Refusal is { } refusal ? $"No primary is known: {refusal}" : "No primary is connected.");

    /// <summary>
    /// As <see cref="EvaluateAsync"/>, without a span. Each attempt is one command, so what a cancellation abandons is not
    /// sent once more behind what comes later.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RedisResult> TryAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken = default)
    {
        var start = Stopwatch.GetTimestamp();
        // Where it is tried: another shard may have the slot by now.
        var at = this;
        var route = Route;
        var byText = false;
        var epoch = guard is null || script.IsForAnyRegion ? -1 : await guard.EnterAsync(cancellationToken);
        script = Guarded(script);
        while (true)
        {
            var database = await at.EnterAsync(route, cancellationToken);
            try
            {
                var sent = byText
                    ? script.SendTextAsync(database, keys, arguments, CommandFlags.DemandMaster)
                    : script.SendHashAsync(database, keys, arguments, CommandFlags.DemandMaster);
                // Here and below is where a command that was sent is abandoned.
                var result = cancellationToken.CanBeCanceled ? await sent.WaitAsync(cancellationToken) : await sent;
                route?.Observer.Succeeded(start);
                if (epoch >= 0 && !guard!.IsConfirmed(epoch))
                {
                    await guard.ConfirmAsync(epoch, cancellationToken);
                }
                return result;
            }
            catch (RedisOutcomeUnknownException)
            {
                throw;
            }
            catch (Exception e) when (guard?.Explain(e) is { } refused)
            {
                throw refused;
            }
            catch (Exception e) when (!byText && RedisScript.IsUnknown(e))
            {
                byText = true;
            }
            catch (Exception e) when (PermissionDenied.Explain(e, script.Name, script.Text) is { } denied)
            {
                throw denied;
            }
            catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final)
            {
                await at.AgainAsync(e, script.Repeatable, start, cancellationToken);
                (at, byText) = (owner?.Invoke(keys[0]) ?? this, false);
                route = at.Route;
                if (epoch >= 0 && RedisFailure.Of(e) == RedisFailureKind.NotApplied)
                {
                    // Another region may have been promoted meanwhile, or the state be known by now.
                    epoch = await guard!.EnterAsync(cancellationToken);
                }
            }
        }
    }

    private async Task<T> TryAsync<T>(
        Func<IDatabase, Task<T>> command, bool repeatable, RedisKey? key, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var at = this;
        var route = Route;
        if (guard is not null && route is { Primary: null })
        {
            // The Sentinels of a standby know of no primary: not to be waited for.
            await guard.EnterAsync(cancellationToken);
        }
        while (true)
        {
            var database = await at.EnterAsync(route, cancellationToken);
            try
            {
                var sent = command(database);
                var result = cancellationToken.CanBeCanceled ? await sent.WaitAsync(cancellationToken) : await sent;
                route?.Observer.Succeeded(start);
                return result;
            }
            catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final)
            {
                await at.AgainAsync(e, repeatable, start, cancellationToken);
                at = key is { } k && owner is not null ? owner(k) : this;
                route = at.Route;
                if (guard is not null && RedisFailure.Of(e) == RedisFailureKind.NotApplied)
                {
                    await guard.EnterAsync(cancellationToken);
                }
            }
        }
    }

    private async ValueTask<RedisResult> TraceAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        using var span = CommandSpan.StartScript(script.Name);
        var start = Stopwatch.GetTimestamp();
        try
        {
            return await TryAsync(script, keys, arguments, cancellationToken);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
        finally
        {
            span?.SetServer(KnownPrimary);
            Route?.Explain(span, start);
        }
    }

    private async Task<T> TraceAsync<T>(
        Func<IDatabase, Task<T>> command, bool repeatable, RedisKey? key, CancellationToken cancellationToken)
    {
        using var span = CommandSpan.StartCommands();
        var start = Stopwatch.GetTimestamp();
        var profile = span is null ? null : CommandProfile.Begin(shared);
        try
        {
            return await TryAsync(command, repeatable, key, cancellationToken);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
        finally
        {
            span?.SetCommands(profile!.FinishProfiling().Select(c => c.Command));
            span?.SetServer(KnownPrimary);
            Route?.Explain(span, start);
        }
    }

    /// <summary>Before each attempt: not while a planned switchover holds commands back, nor for one who has gone away.</summary>
    /// <exception cref="RedisUnavailableException">Redis has not been reached since the process started.</exception>
    private ValueTask<IDatabase> EnterAsync(PrimaryRoute? route, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return route?.Gate is { } gate ? EnterAsync(gate, cancellationToken) : new ValueTask<IDatabase>(Enter());
    }

    private async ValueTask<IDatabase> EnterAsync(Task gate, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        return Enter();
    }

    private IDatabase Enter()
    {
        try
        {
            return Database;
        }
        catch (RedisConnectionException e)
        {
            // Not waited for here: whoever makes the connection tries for as long as it takes.
            throw new RedisUnavailableException(e);
        }
    }

    /// <summary>Returns when the command is to be run again.</summary>
    /// <exception cref="RedisUnavailableException">Certainly not applied, and the time is over.</exception>
    /// <exception cref="RedisOutcomeUnknownException">May have been applied, and is not repeatable or the time is over.</exception>
    private async Task AgainAsync(Exception failed, bool repeatable, long start, CancellationToken cancellationToken)
    {
        var unknown = RedisFailure.Of(failed) == RedisFailureKind.Unknown;
        Route?.Observer.Failed(start);
        Noticed(failed);
        if ((unknown && !repeatable) || Stopwatch.GetElapsedTime(start) >= Bound)
        {
            throw unknown ? new RedisOutcomeUnknownException(failed)
                : new RedisUnavailableException(Source?.Refusal is null ? failed : NoPrimary());
        }
        await Task.Delay(s_pause, cancellationToken);
    }

    private async Task<DedicatedConnection> OpenOnceAsync(string purpose, TimeSpan longestReply, CancellationToken cancellationToken)
    {
        var primary = Primary;
        var own = options().Clone();
        if (own.Tunnel is PrimaryTunnel toPrimary)
        {
            own.Tunnel = new NodeTunnel(toPrimary.Source.Route, primary, toPrimary.Inner);
        }
        own.ServiceName = null;
        own.EndPoints.Clear();
        own.EndPoints.Add(primary);
        own.ClientName = $"{own.ClientName ?? own.Defaults.ClientName}:{purpose}".Replace(' ', '-');
        own.Protocol = RedisProtocol.Resp2;
        own.AbortOnConnectFail = true;
        own.ConnectRetry = 1;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        // Below the block time the client would give up on a reply that is still to come, and the entries in it
        // would be pending although nobody has them.
        own.AsyncTimeout = (int)longestReply.TotalMilliseconds + Math.Max(own.AsyncTimeout, 2000);
        // The client would select the database anew behind each command that it has no method for, as WAIT and XREADGROUP are.
        own.CommandMap = Source?.DedicatedCommands
            ?? (own.DefaultDatabase is null or 0 ? ConnectionAttempt.ForOneDatabase : ConnectionAttempt.WithoutSubscriptions);
        var tunnel = new SingleConnectionTunnel(own.Tunnel);
        own.Tunnel = tunnel;
        var connection = await ConnectionAttempt.ConnectAsync(own, cancellationToken);
        tunnel.Close();
        return new DedicatedConnection(connection, primary);
    }
}
