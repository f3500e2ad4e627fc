using System.Collections.Concurrent;
using System.Globalization;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>One independent server: its connection, whether it may vote, and releases that have not reached it yet.</summary>
/// <remarks>
/// Commands go to the connection itself and not by way of a <see cref="RedisDeployment"/>: a node has no failover to wait
/// for, and an answer counts only within the validity of the lease that it is about. So a round waits for at most
/// <see cref="RedlockOptions.NodeTimeout"/>, nothing is sent twice within it, and the majority makes up for a node that fails.
/// <para>
/// A process that has restarted may have forgotten leases, and a client that reconnects does not notice. What notices is
/// the script cache: it lives and dies with the process. A grant is always called by hash, and its text is loaded only
/// after the process has been found old enough, over a connection that ends with that process. A node that answers
/// NOSCRIPT has restarted, and stays out until it is old enough again.
/// </para>
/// Safe for concurrent use.
/// </remarks>
internal sealed class RedlockNode : IAsyncDisposable
{
    // Bounded, for an outage may be long; the rest ends with its TTL.
    private const int MaxPendingReleases = 1000;

    private static readonly RedisScript s_grant = RedisScript.Load<RedlockNode>("redlock-grant");
    private static readonly RedisScript s_release = RedisScript.Load<RedlockNode>("redlock-release");
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private readonly ConfigurationOptions _options;
    private readonly RedlockOptions _redlock;
    private readonly ConcurrentDictionary<string, string> _processes;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly string _grant;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _firstContact = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<(string Resource, string Owner), PendingRelease> _pendingReleases = new();
    private readonly Task _admission;
    private volatile ConnectionMultiplexer? _connection;
    private volatile Voter? _voter;
    private volatile Exception _absence = new InvalidOperationException("not reached yet");
    private int _unanswered;
    private long _silentSince;

    /// <param name="options">The connection.</param>
    /// <param name="redlock">The settings of all nodes.</param>
    /// <param name="processes">Shared by the nodes of a provider: which server process is which node.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">Hears of nodes that leave and come back.</param>
    public RedlockNode(
        ConfigurationOptions options, RedlockOptions redlock, ConcurrentDictionary<string, string> processes, TimeProvider clock,
        ILogger logger)
    {
        _options = options;
        _redlock = redlock;
        _processes = processes;
        _clock = clock;
        _logger = logger;
        Name = RedlockOptions.NameOf(options);
        // Clients with another bound must not take the script for the answer to their own question.
        _grant = string.Create(
            CultureInfo.InvariantCulture,
            $"-- In the cache of a process that may vote; least age {LeastAge.TotalMilliseconds:0} ms.\n{s_grant.Text}");
        _admission = Task.Run(() => KeepAdmittedAsync(_stopping.Token));
    }

    /// <summary>The address, <c>host:port</c>.</summary>
    public string Name { get; }

    /// <summary>Until the first attempt to reach the node has ended, in success or not.</summary>
    public Task FirstContact => _firstContact.Task;

    /// <summary>Whether the node votes, as far as is known.</summary>
    public bool IsReady => _voter is not null;

    /// <summary>The connection for subscriptions; null when there was none yet.</summary>
    public IConnectionMultiplexer? Connection => _connection;

    private TimeSpan LeastAge => _redlock.RestartedNodes == RestartedNodes.StayOut ? _redlock.MaxTtl : TimeSpan.Zero;

    /// <summary>
    /// Sends the request to grant a lease; call <see cref="Answered"/> with what comes of it. It is on its way when this
    /// returns, so that a later <see cref="ReleaseAsync"/> is behind it.
    /// </summary>
    /// <exception cref="Exception">The node does not vote; nothing was sent.</exception>
    public Task<RedisResult> GrantAsync(RedisKey[] keys, RedisValue[] arguments)
    {
        var voter = _voter ?? throw Absent(_absence);
        if (!voter.Connection.IsConnected)
        {
            throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "not connected");
        }
        var now = _clock.GetTimestamp();
        if (Volatile.Read(ref _unanswered) == 0)
        {
            Volatile.Write(ref _silentSince, now);
        }
        else if (_clock.GetElapsedTime(Volatile.Read(ref _silentSince), now) is var silent && silent > _redlock.NodeTimeout)
        {
            throw new TimeoutException($"no answer for {silent.TotalMilliseconds:0} ms");
        }
        Interlocked.Increment(ref _unanswered);
        // Not by way of the door: a vote is for its round, which is over by the node's timeout, and is never run again.
        return voter.Database.ScriptEvaluateAsync(voter.Grant, keys, arguments, CommandFlags.DemandMaster);
    }

    /// <param name="error">Null, or what the task of <see cref="GrantAsync"/> ended with.</param>
    public void Answered(Exception? error)
    {
        if (error is null or RedisServerException)
        {
            Volatile.Write(ref _silentSince, _clock.GetTimestamp());
        }
        Interlocked.Decrement(ref _unanswered);
        if (error is not null && RedisScript.IsUnknown(error) && _voter is { } voter)
        {
            _absence = new InvalidOperationException("it has restarted, and its age is not known yet");
            _voter = null;
            voter.Restarted.TrySetResult();
        }
    }

    /// <summary>
    /// Releases what the owner may have here. False when that could not be done now; it is done when the node can be
    /// reached again before the lease has run out.
    /// </summary>
    /// <param name="keys">Lease and last fencing token.</param>
    /// <param name="arguments">Owner, fencing token, channel, whether it was granted in vain.</param>
    /// <param name="ttl">The TTL of the lease.</param>
    public async Task<bool> ReleaseAsync(RedisKey[] keys, RedisValue[] arguments, TimeSpan ttl)
    {
        try
        {
            var connection = _connection;
            if (connection is { IsConnected: true })
            {
                // An independent node is a shard of its own.
                await new RedisShard(() => connection, () => _options).EvaluateAsync(s_release, keys, arguments);
                return true;
            }
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "The lease {Resource} could not be released at {Node} yet.", keys[0], Name);
        }
        if (_pendingReleases.Count < MaxPendingReleases)
        {
            _pendingReleases[(keys[0]!, arguments[0]!)] = new PendingRelease(keys, arguments, ttl, _clock.GetTimestamp());
        }
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _admission.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _voter = null;
        _absence = new ObjectDisposedException(nameof(RedlockProvider));
        _firstContact.TrySetResult();
        if (_connection is { } connection)
        {
            try
            {
                // QUIT goes behind the releases that are on their way; a node that hangs is not waited for.
                await connection.CloseAsync(allowCommandsToComplete: connection.IsConnected).WaitAsync(_redlock.NodeTimeout, _clock);
            }
            catch (TimeoutException)
            {
                await connection.CloseAsync(allowCommandsToComplete: false);
            }
        }
        _stopping.Dispose();
    }

    // A fresh one for each caller: throwing an exception writes its stack into it.
    private static Exception Absent(Exception why) => why switch
    {
        ObjectDisposedException => new ObjectDisposedException(nameof(RedlockProvider)),
        RedisConnectionException e => new RedisConnectionException(e.FailureType, e.Message, e),
        TimeoutException e => new TimeoutException(e.Message, e),
        _ => new InvalidOperationException(why.Message, why),
    };

    private async Task KeepAdmittedAsync(CancellationToken stopping)
    {
        var wasReady = true;
        while (!stopping.IsCancellationRequested)
        {
            var pause = s_pause;
            try
            {
                var connection = _connection ??= await ConnectAsync();
                var (voter, wait) = await AdmitAsync(connection, stopping);
                if (voter is not null)
                {
                    _voter = voter;
                    _firstContact.TrySetResult();
                    _logger.Log(wasReady ? LogLevel.Debug : LogLevel.Information, "The lock node {Node} votes.", Name);
                    wasReady = true;
                    RetryPendingReleases();
                    await voter.Restarted.Task.WaitAsync(stopping);
                    continue;
                }
                pause = wait;
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                _absence = e;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            _firstContact.TrySetResult();
            _logger.Log(
                wasReady ? LogLevel.Warning : LogLevel.Debug, "The lock node {Node} does not vote: {Reason}", Name, _absence.Message);
            wasReady = false;
            await Task.Delay(pause, _clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_options);
        connection.ConnectionRestored += (_, _) => RetryPendingReleases();
        return connection;
    }

    /// <summary>Loads the script if the process is old enough; else says how long to wait.</summary>
    private async Task<(Voter? Voter, TimeSpan Wait)> AdmitAsync(ConnectionMultiplexer connection, CancellationToken stopping)
    {
        // A connection that is never made anew: whatever was asked and loaded through it was asked of, and loaded into,
        // one process.
        var options = _options.Clone();
        options.AbortOnConnectFail = true;
        options.AllowAdmin = true; // For INFO and SCRIPT LOAD.
        options.ReconnectRetryPolicy = new NeverReconnect();
        options.CommandMap = ConnectionAttempt.WithoutSubscriptions;
        await using var once = await ConnectionMultiplexer.ConnectAsync(options);
        var server = once.GetServer(_options.EndPoints[0]);
        if (server.IsReplica)
        {
            throw new InvalidOperationException("it is a replica; a node must be a server of its own");
        }
        var info = (await server.InfoAsync("server").WaitAsync(_redlock.NodeTimeout, _clock, stopping)).SelectMany(section => section)
            .ToDictionary(line => line.Key, line => line.Value, StringComparer.Ordinal);
        if (_processes.GetOrAdd(info["run_id"], Name) is var first && first != Name)
        {
            throw new InvalidOperationException(
                $"it is the same server as {first}; {nameof(RedlockOptions)}.{nameof(RedlockOptions.Nodes)} must name different ones");
        }
        // Whole seconds, cut off at both ends: a second more is needed to be sure.
        var age = TimeSpan.FromSeconds(long.Parse(info["uptime_in_seconds"], CultureInfo.InvariantCulture));
        var left = LeastAge == TimeSpan.Zero ? TimeSpan.Zero : LeastAge + TimeSpan.FromSeconds(1) - age;
        if (left > TimeSpan.Zero)
        {
            _absence = new InvalidOperationException(
                $"it started {age.TotalSeconds:0} s ago and is not counted for another {left.TotalSeconds:0.#} s"
                + $" ({nameof(RedlockOptions)}.{nameof(RedlockOptions.MaxTtl)})");
            return (null, left < s_pause ? s_pause : left);
        }
        var grant = await server.ScriptLoadAsync(_grant).WaitAsync(_redlock.NodeTimeout, _clock, stopping);
        return (new Voter(connection, connection.GetDatabase(), grant), TimeSpan.Zero);
    }

    private void RetryPendingReleases()
    {
        foreach (var (key, pending) in _pendingReleases)
        {
            if (_pendingReleases.TryRemove(key, out _) && _clock.GetElapsedTime(pending.Since) < pending.Ttl)
            {
                _ = ReleaseAsync(pending.Keys, pending.Arguments, pending.Ttl - _clock.GetElapsedTime(pending.Since));
            }
        }
    }

    /// <summary>A node that votes: <paramref name="Grant"/> is known to its process.</summary>
    private sealed record Voter(IConnectionMultiplexer Connection, IDatabase Database, byte[] Grant)
    {
        public TaskCompletionSource Restarted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed record PendingRelease(RedisKey[] Keys, RedisValue[] Arguments, TimeSpan Ttl, long Since);

    private sealed class NeverReconnect : IReconnectRetryPolicy
    {
        public bool ShouldRetry(long currentRetryCount, int timeElapsedMillisecondsSinceLastRetry) => false;
    }
}
