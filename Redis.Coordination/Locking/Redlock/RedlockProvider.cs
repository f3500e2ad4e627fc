using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>
/// Leases on N independent servers (Redlock): whoever a majority of them, N/2+1, has granted a lease holds it. The lease
/// outlives the loss of any minority of the nodes.
/// </summary>
/// <remarks>
/// <para>
/// All nodes are asked at once. The lease is acquired when a majority has granted it and validity is left by then (the TTL
/// less the time that it took and 1% + 2 ms for drift); it is refused as soon as no majority is possible any more. What
/// some nodes granted without a majority is given back at once, also where the answer is still to come. Renewals need a
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
public sealed class RedlockProvider : ILeaseProvider, IAsyncDisposable
{
    private const int MaxProposals = 3;

    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromSeconds(1);

    private readonly RedlockOptions _options;
    private readonly RedlockNodeSet _nodes;
    private readonly RedlockTokens _tokens;
    private readonly RedlockQueues _queues;
    private readonly TimeProvider _clock;
    private readonly LeaseTelemetry _telemetry;
    private readonly CancellationTokenSource _disposing = new();
    private readonly string _id = Guid.NewGuid().ToString("N");
    private long _lastOwner;
    private int _disposed;

    /// <summary>Creates the provider and begins to connect to the nodes.</summary>
    /// <param name="options">The nodes. Not to be changed afterwards.</param>
    /// <param name="clock">Measures waits and validity, and proposes fencing tokens; null for the system's.</param>
    /// <param name="logger">Hears of nodes that leave and come back and of leases that are lost; null for nobody.</param>
    /// <exception cref="ArgumentException">An option cannot be used; the message names it.</exception>
    public RedlockProvider(RedlockOptions options, TimeProvider? clock = null, ILogger<RedlockProvider>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        logger ??= NullLogger<RedlockProvider>.Instance;
        _options = options;
        _clock = clock ?? TimeProvider.System;
        _telemetry = new LeaseTelemetry("redlock", logger);
        _tokens = new RedlockTokens(_clock);
        _nodes = new RedlockNodeSet(options, _clock, logger);
        _queues = new RedlockQueues(_nodes.Nodes, _clock, logger);
    }

    /// <param name="resource">The name of the lease, which is its key on every node: 1 to 1024 bytes.</param>
    /// <inheritdoc/>
    /// <exception cref="NoQuorumException">
    /// So many nodes fail that no majority is possible. A first attempt ends with it at once; who waits already goes on
    /// until the wait is over.
    /// </exception>
    public Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        options ??= LeaseOptions.Default;
        options.Validate();
        if (options.Ttl > _options.MaxTtl)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.Ttl,
                $"{nameof(LeaseOptions)}.{nameof(LeaseOptions.Ttl)} must not be above"
                + $" {nameof(RedlockOptions)}.{nameof(RedlockOptions.MaxTtl)} ({_options.MaxTtl}), for so long a restarted node stays out.");
        }
        LeaseKeys.Validate(resource);
        var request = new Request(resource, $"{_id}.{Interlocked.Increment(ref _lastOwner):x}", options);
        return _telemetry.AcquireAsync(resource, _clock, activity => AcquireAsync(request, activity, cancellationToken));
    }

    /// <summary>For leases whose holder is known by another name, see <see cref="Regions.Witnesses.RegionWitnesses"/>.</summary>
    internal RedlockNodeSet NodeSet => _nodes;

    /// <summary>Ends all waits and closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        await _disposing.CancelAsync();
        await _nodes.DisposeAsync();
    }

    private async Task<ILease?> AcquireAsync(Request request, Activity? activity, CancellationToken cancellationToken)
    {
        activity?.SetTag("redis.lock.nodes", _nodes.Nodes.Count);
        await _nodes.FirstContactAsync(cancellationToken);
        var start = _clock.GetTimestamp();
        var wait = request.Options.WaitTimeout;
        try
        {
            if (wait == TimeSpan.Zero || !_queues.IsAwaited(request.Resource))
            {
                var (lease, outcome) = await AttemptAsync(request, cancellationToken);
                Describe(activity, request, outcome);
                if (lease is null && outcome.IsWithoutQuorum)
                {
                    throw NoQuorum(request, outcome);
                }
                if (lease is not null || wait == TimeSpan.Zero)
                {
                    return lease;
                }
            }
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
            return await WaitAsync(request, start, activity, ending.Token);
        }
        catch (OperationCanceledException) when (_disposing.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ObjectDisposedException(nameof(RedlockProvider));
        }
    }

    private async Task<ILease?> WaitAsync(Request request, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var queue = _queues.Join(request.Resource);
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
                queue.BeginAttempt();
                var asked = _clock.GetTimestamp();
                var (lease, outcome) = await AttemptAsync(request, cancellationToken);
                Describe(activity, request, outcome);
                if (lease is not null)
                {
                    return lease;
                }
                TimeSpan sleep;
                if (outcome.IsHeld)
                {
                    undecided = 0;
                    // Never longer than our own TTL: the next owner's may be shorter than the present one's.
                    sleep = Least(outcome.FreeIn, request.Options.Ttl) + Random(TimeSpan.FromMilliseconds(5));
                }
                else
                {
                    // A split vote, or too few nodes to tell. Random pauses that grow, from what a vote takes, let one win.
                    var vote = _clock.GetElapsedTime(asked) + TimeSpan.FromMilliseconds(1);
                    sleep = Random(Least(vote * (1 << Math.Min(++undecided, 12)), s_longestBackoff));
                }
                if (Left() <= TimeSpan.Zero)
                {
                    return outcome.IsWithoutQuorum ? throw NoQuorum(request, outcome) : null;
                }
                await queue.WaitAsync(outcome.ReleasesNeeded, Least(sleep, Left()), _clock, cancellationToken);
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

        TimeSpan Left()
            => request.Options.WaitTimeout - _clock.GetElapsedTime(start) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;
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
    private async Task<(ILease? Lease, RedlockOutcome Outcome)> AttemptAsync(Request request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        request.Attempts++;
        var above = 0L;
        for (var proposal = 1; ; proposal++)
        {
            // Counted from before the request: the nodes start the TTL later.
            var asked = _clock.GetTimestamp();
            var token = _tokens.Next(above);
            var round = _nodes.Ask(request.Resource, request.Owner, request.Options.Ttl, token);
            try
            {
                var outcome = await _nodes.OutcomeAsync(round, request.Options.Ttl, cancellationToken);
                if (round.Quorum.IsReached)
                {
                    var until = LeaseValidity.Until(_clock, asked, request.Options.Ttl);
                    if (until > _clock.GetTimestamp())
                    {
                        var lease = new RedlockLease(
                            _nodes, request.Resource, request.Owner, token, until, request.Options, _clock, _telemetry);
                        return (lease, outcome);
                    }
                }
                else if (outcome.TokenTooLow > 0)
                {
                    _tokens.Learn(above = outcome.HighestToken);
                    if (outcome.MayGrantHigherToken && proposal < MaxProposals)
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

            void Undo()
                => _ = _nodes.ReleaseAsync(
                    round.MayHaveGranted(), request.Resource, request.Owner, token, request.Options.Ttl, publish: false, inVain: true);
        }
    }

    private NoQuorumException NoQuorum(Request request, RedlockOutcome outcome)
        => new(request.Resource, _nodes.Nodes.Count, outcome.Errors);

    private static void Describe(Activity? activity, Request request, RedlockOutcome outcome)
    {
        activity?.SetTag("redis.lock.nodes.granted", outcome.Granted);
        activity?.SetTag("redis.lock.nodes.held", outcome.Held.Count);
        activity?.SetTag("redis.lock.nodes.failed", outcome.Errors.Count);
        activity?.SetTag("redis.lock.attempts", request.Attempts);
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static TimeSpan Random(TimeSpan below) => below * System.Random.Shared.NextDouble();

    /// <summary>One call of acquire. All its attempts bear the same owner token, so that each finds what an earlier one made.</summary>
    private sealed record Request(string Resource, string Owner, LeaseOptions Options)
    {
        public int Attempts { get; set; }
    }
}
