using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>
/// Leases on N independent servers (Redlock): a lease is held by whom a majority, N/2+1, has granted it. It outlives the
/// loss of any minority of the nodes.
/// </summary>
/// <remarks>
/// <para>
/// All nodes are asked at once. The lease is had with the answer that completes a majority, if validity is left by then
/// (the TTL less the time that it took and 1% + 2 ms for drift); it is refused with the answer that makes a majority
/// impossible. What was granted in vain is given back at once, also where the answer is still to come. Renewals need a
/// majority as well.
/// </para>
/// <para>
/// Assumed: the clocks of nodes and clients run at the same speed within 1%, and no node forgets what it granted and goes
/// on voting: see <see cref="RedlockOptions.RestartedNodes"/>, and let no node evict keys. Fencing tokens rise strictly
/// with every acquisition; no clock is needed for that as long as the nodes remember. A process that is paused just
/// before its write can still write after its lease: let the store compare the token.
/// </para>
/// <para>
/// No order is guaranteed. Callers of one process are served in the order in which they began to wait; processes race,
/// when the nodes tell of a release or else when the TTL is over, with random pauses after a split vote.
/// </para>
/// <para>
/// Keys are those of other Redlock clients (<c>SET key token NX PX ttl</c>, compare and delete), which exclude us and are
/// excluded. Source: https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
/// Safe for concurrent use. It owns a connection to each node; leases that are held when it is disposed end with their TTL.
/// </para>
/// </remarks>
public sealed class RedlockProvider : ILeaseProvider, ILeaseKeeper, IAsyncDisposable
{
    private const int MaxProposals = 3;

    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromSeconds(1);

    private readonly RedlockOptions _options;
    private readonly RedlockNode[] _nodes;
    private readonly RedlockTokens _tokens;
    private readonly RedlockQueues _queues;
    private readonly TimeProvider _clock;
    private readonly LeaseTelemetry _telemetry;
    private readonly CancellationTokenSource _disposing = new();
    private readonly string _id = Guid.NewGuid().ToString("N");
    private long _lastOwner;
    private int _disposed;
    private volatile bool _contacted;

    /// <summary>Creates the provider and begins to connect to the nodes.</summary>
    /// <exception cref="ArgumentException">An option cannot be used; the message names it.</exception>
    public RedlockProvider(RedlockOptions options, TimeProvider clock, ILogger<RedlockProvider> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        var connections = options.Validate();
        _options = options;
        _clock = clock;
        _telemetry = new LeaseTelemetry("redlock", logger);
        _tokens = new RedlockTokens(clock);
        var processes = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        _nodes = connections.Select(c => new RedlockNode(c, options, processes, clock, logger)).ToArray();
        _queues = new RedlockQueues(_nodes, clock, logger);
    }

    TimeProvider ILeaseKeeper.Clock => _clock;

    LeaseTelemetry ILeaseKeeper.Telemetry => _telemetry;

    /// <param name="resource">The name of the lease, which is its key on every node: 1 to 1024 bytes.</param>
    /// <inheritdoc/>
    /// <exception cref="NoQuorumException">
    /// So many nodes fail that no majority is possible. A first attempt ends with it at once; who waits already goes on
    /// until the wait is over.
    /// </exception>
    public Task<Lease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        options ??= LeaseOptions.Default;
        options.Validate();
        if (options.Ttl > _options.MaxTtl)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.Ttl,
                $"{nameof(LeaseOptions)}.{nameof(LeaseOptions.Ttl)} must not be above {nameof(RedlockOptions)}.{nameof(RedlockOptions.MaxTtl)} ({_options.MaxTtl}), for so long a restarted node stays out.");
        }
        LeaseKeys.Validate(resource);
        return _telemetry.AcquireAsync(resource, _clock, activity => AcquireAsync(new Attempt(resource, NewOwner(), options), activity, cancellationToken));
    }

    /// <summary>Ends all waits and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        await _disposing.CancelAsync();
        await Task.WhenAll(_nodes.Select(n => n.DisposeAsync().AsTask()));
    }

    async Task<bool> ILeaseKeeper.RenewAsync(Lease lease, CancellationToken cancellationToken)
    {
        var keys = new LeaseKeys(lease.Resource);
        var round = RedlockRound.Begin(_nodes, [keys.Lease, keys.Fence], lease.Owner, lease.Options.Ttl, lease.FencingToken);
        var outcome = await OutcomeAsync(round, lease.Options.Ttl, cancellationToken);
        return round.Quorum.IsReached || (outcome.IsRefused ? false : throw new NoQuorumException(lease.Resource, _nodes.Length, outcome.Errors));
    }

    async Task ILeaseKeeper.ReleaseAsync(Lease lease)
    {
        if (!await GiveBackAsync(_nodes, lease.Resource, lease.Owner, lease.FencingToken, lease.Options.Ttl, tell: true))
        {
            _telemetry.NotGivenBack(lease);
        }
    }

    private string NewOwner() => $"{_id}.{Interlocked.Increment(ref _lastOwner):x}";

    private async Task<Lease?> AcquireAsync(Attempt attempt, Activity? activity, CancellationToken cancellationToken)
    {
        activity?.SetTag("redis.lock.nodes", _nodes.Length);
        if (!_contacted)
        {
            await FirstContactAsync(cancellationToken);
        }
        var start = _clock.GetTimestamp();
        var wait = attempt.Options.WaitTimeout;
        try
        {
            if (wait == TimeSpan.Zero || !_queues.IsAwaited(attempt.Resource))
            {
                var (lease, outcome) = await LookAsync(attempt, cancellationToken);
                Describe(activity, attempt, outcome);
                if (lease is null && outcome.IsWithoutQuorum)
                {
                    throw new NoQuorumException(attempt.Resource, _nodes.Length, outcome.Errors);
                }
                if (lease is not null || wait == TimeSpan.Zero)
                {
                    return lease;
                }
            }
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
            return await WaitAsync(attempt, start, activity, ending.Token);
        }
        catch (OperationCanceledException) when (_disposing.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ObjectDisposedException(nameof(RedlockProvider));
        }
    }

    private async Task<Lease?> WaitAsync(Attempt attempt, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var queue = _queues.Join(attempt.Resource);
        _telemetry.WaitBegins(activity, place: null);
        var hasTurn = false;
        try
        {
            hasTurn = await TakeTurnAsync(queue, Left(), cancellationToken);
            if (!hasTurn)
            {
                return null;
            }
            // Until every node tells of releases, or not all of them can.
            await Task.WhenAny(queue.Subscribed, Task.Delay(Least(_options.NodeTimeout, Left()), _clock, cancellationToken));
            var undecided = 0;
            while (true)
            {
                queue.BeginLook();
                var asked = _clock.GetTimestamp();
                var (lease, outcome) = await LookAsync(attempt, cancellationToken);
                Describe(activity, attempt, outcome);
                if (lease is not null)
                {
                    return lease;
                }
                TimeSpan sleep;
                if (outcome.IsHeld)
                {
                    undecided = 0;
                    // Never longer than our own TTL: the next owner's may be shorter than the present one's.
                    sleep = Least(outcome.FreeIn, attempt.Options.Ttl) + Random(TimeSpan.FromMilliseconds(5));
                }
                else
                {
                    // A split vote, or too few nodes to tell. Random pauses that grow, from what a vote takes, let one win.
                    var vote = _clock.GetElapsedTime(asked) + TimeSpan.FromMilliseconds(1);
                    sleep = Random(Least(vote * (1 << Math.Min(++undecided, 12)), s_longestBackoff));
                }
                if (Left() <= TimeSpan.Zero)
                {
                    return outcome.IsWithoutQuorum ? throw new NoQuorumException(attempt.Resource, _nodes.Length, outcome.Errors) : null;
                }
                await queue.WaitAsync(outcome.Missing, Least(sleep, Left()), _clock, cancellationToken);
            }
        }
        finally
        {
            if (hasTurn)
            {
                queue.Turn.Release();
            }
            _queues.Leave(queue);
            _telemetry.WaitEnds();
        }

        TimeSpan Left() => attempt.Options.WaitTimeout - _clock.GetElapsedTime(start) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task<bool> TakeTurnAsync(RedlockQueue queue, TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(atMost, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellationToken);
        try
        {
            await queue.Turn.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Asks all nodes once, and gives back what they grant if that is no majority or too late.</summary>
    private async Task<(Lease? Lease, RedlockOutcome Outcome)> LookAsync(Attempt attempt, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        attempt.Looks++;
        var keys = new LeaseKeys(attempt.Resource);
        RedisKey[] names = [keys.Lease, keys.Fence];
        var above = 0L;
        for (var proposal = 1; ; proposal++)
        {
            // Counted from before the request: the nodes start the TTL later.
            var asked = _clock.GetTimestamp();
            var token = _tokens.Next(above);
            var round = RedlockRound.Begin(_nodes, names, attempt.Owner, attempt.Options.Ttl, token);
            try
            {
                var outcome = await OutcomeAsync(round, attempt.Options.Ttl, cancellationToken);
                if (round.Quorum.IsReached)
                {
                    var until = LeaseValidity.Until(_clock, asked, attempt.Options.Ttl);
                    if (until > _clock.GetTimestamp())
                    {
                        return (new Lease(this, attempt.Resource, attempt.Owner, token, until, attempt.Options), outcome);
                    }
                }
                else if (outcome.TokenTooLow > 0)
                {
                    _tokens.Learn(above = outcome.HighestToken);
                    if (outcome.IsWorthAHigherToken && proposal < MaxProposals)
                    {
                        // The same owner asks again: what it was granted stays its own.
                        continue;
                    }
                }
                Undo();
                return (null, outcome);
            }
            catch
            {
                Undo();
                throw;
            }

            void Undo() => _ = GiveBackAsync(round.MayHaveGranted(), attempt.Resource, attempt.Owner, token, attempt.Options.Ttl, tell: false);
        }
    }

    private async Task<RedlockOutcome> OutcomeAsync(RedlockRound round, TimeSpan ttl, CancellationToken cancellationToken)
    {
        // A short lease has no time for slow nodes.
        var atMost = Least(_options.NodeTimeout, ttl);
        return await round.Quorum.DecidedAsync(atMost, _clock, cancellationToken) ? round.Outcome() : round.Outcome(atMost);
    }

    /// <summary>True when a majority of all nodes has answered.</summary>
    private async Task<bool> GiveBackAsync(IReadOnlyList<RedlockNode> nodes, string resource, string owner, long token, TimeSpan ttl, bool tell)
    {
        var keys = new LeaseKeys(resource);
        RedisKey[] names = [keys.Lease, keys.Fence];
        RedisValue[] arguments = [owner, token, tell ? (string)RedlockQueue.Channel(resource)! : ""];
        var quorum = new Quorum(nodes.Count);
        foreach (var node in nodes)
        {
            _ = OneAsync(node);
        }
        return nodes.Count == 0 || (await quorum.DecidedAsync(_options.NodeTimeout, _clock, CancellationToken.None) && quorum.IsReached);

        async Task OneAsync(RedlockNode node) => quorum.Vote(await node.GiveBackAsync(names, arguments, ttl));
    }

    /// <summary>Nodes that have not been reached yet are given a moment, and as long as it takes while there is no majority.</summary>
    private async Task FirstContactAsync(CancellationToken cancellationToken)
    {
        var quorum = new Quorum(_nodes.Length);
        foreach (var node in _nodes)
        {
            _ = node.FirstContact.ContinueWith(_ => quorum.Vote(node.IsReady), cancellationToken, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        var all = Task.WhenAll(_nodes.Select(n => n.FirstContact));
        if (await Task.WhenAny(all, Task.Delay(_options.NodeTimeout, _clock, cancellationToken)) != all)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await quorum.DecidedAsync(_options.NodeTimeout + TimeSpan.FromSeconds(2), _clock, cancellationToken);
        }
        _contacted = true;
    }

    private static void Describe(Activity? activity, Attempt attempt, RedlockOutcome outcome)
    {
        activity?.SetTag("redis.lock.nodes.granted", outcome.Granted);
        activity?.SetTag("redis.lock.nodes.held", outcome.Held.Count);
        activity?.SetTag("redis.lock.nodes.failed", outcome.Errors.Count);
        activity?.SetTag("redis.lock.attempts", attempt.Looks);
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static TimeSpan Random(TimeSpan below) => below * System.Random.Shared.NextDouble();

    /// <summary>One call of acquire: the same owner token in all its looks, so that each finds what an earlier one made.</summary>
    private sealed record Attempt(string Resource, string Owner, LeaseOptions Options)
    {
        public int Looks { get; set; }
    }
}
