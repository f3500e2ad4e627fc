using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Knows which node is the primary of a Sentinel deployment, from whichever Sentinel says it first, and leads the
/// connections that are <see cref="Attach">attached</see> there. Without Sentinels it does nothing.
/// </summary>
/// <remarks>
/// It listens to every Sentinel on a connection of its own and asks each of them once a second, for messages can be lost.
/// Which there are it knows from those that answer (<see cref="SentinelRoster"/>). The configured addresses are where it looks
/// first and for ever, and count no more than others.
/// A newer configuration epoch wins; one that is not newer is believed only when a majority of the Sentinels has held to it
/// for ten seconds, as after all of them were set up anew. Nobody is followed who does not call itself a primary.
/// While a replica is being promoted it is asked itself, every 10 ms, for the Sentinel learns of its own success by an INFO
/// that it sends once a second: see https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/.
/// On a change the sockets to the old primary are closed at once, so that nothing is written to one that was merely paused.
/// Safe for concurrent use; nothing is connected before the first connection attempt of an attached client.
/// </remarks>
internal sealed class PrimaryFollower : IPrimarySource, IAsyncDisposable
{
    /// <summary>A planned switchover leaves the address of the old primary here, until it is done.</summary>
    internal const string SwitchoverKey = "redis:switchover";

    private static readonly TimeSpan s_ask = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_probe = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_promotion = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_promotionLook = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(10);

    private readonly ILogger<PrimaryFollower> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _deciding = new(1);
    private readonly ConcurrentDictionary<EndPoint, SentinelLink> _links = new();
    private readonly ConcurrentDictionary<EndPoint, bool> _watchedPromotions = new();
    private readonly ConcurrentDictionary<EndPoint, long> _announced = new();
    private readonly ConcurrentDictionary<EndPoint, string> _refusedBy = new();
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PromotableReplicas _promotable = new();
    private readonly SentinelRoster _roster = new();
    private ConfigurationOptions? _options;
    private PrimaryTunnel? _tunnel;
    private string _service = "";
    private Task? _watching;
    private volatile string? _refusal;
    private volatile bool _isStandby;
    private long _epoch = -1;
    private long _began;

    /// <summary>Creates the follower.</summary>
    public PrimaryFollower(ILogger<PrimaryFollower> logger)
    {
        ArgumentNullException.ThrowIfNull(logger);
        _logger = logger;
        Route = new PrimaryRoute(new FailoverObserver(logger));
    }

    /// <summary>The node that is followed; null before the Sentinels have named one, and without Sentinels.</summary>
    public EndPoint? Primary => Route.Primary;

    /// <summary>How many Sentinels have answered within the last three seconds.</summary>
    public int ReachableSentinels => Views().Count();

    /// <inheritdoc/>
    public PrimaryRoute Route { get; }

    /// <inheritdoc/>
    public string? Refusal => Route.Primary is null ? _refusal : null;

    /// <summary>
    /// Makes clients that are created with <paramref name="options"/> follow the primary. Options without a service name
    /// stay as they are. The client then knows one endpoint, the service's name; its endpoint never changes, and
    /// commands that were not sent yet when a primary is lost are sent to the next one, within the client's timeout.
    /// </summary>
    /// <exception cref="InvalidOperationException">This follower is for another service already.</exception>
    public void Attach(ConfigurationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Tunnel is PrimaryTunnel || string.IsNullOrEmpty(options.ServiceName))
        {
            return;
        }
        lock (_lock)
        {
            if (_options is null)
            {
                _options = options.Clone();
                _options.ServiceName = null;
                _service = options.ServiceName;
                _tunnel = new PrimaryTunnel(this, options.Tunnel);
            }
            else if (_service != options.ServiceName)
            {
                throw new InvalidOperationException(
                    $"This follower is for the service '{_service}' and cannot follow '{options.ServiceName}'.");
            }
        }
        _tunnel!.Lead(options, options.ServiceName);
    }

    /// <summary>Stops following.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }
        await _stopping.CancelAsync();
        Task? watching;
        lock (_lock)
        {
            watching = _watching;
        }
        if (watching is not null)
        {
            await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Task.WhenAll(_links.Values.Select(l => l.DisposeAsync().AsTask()));
        _stopping.Dispose();
    }

    /// <inheritdoc/>
    public CommandMap? DedicatedCommands => null;

    /// <inheritdoc/>
    public async Task<EndPoint> PrimaryAsync(TimeSpan bound, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            _watching ??= Task.Run(() => WatchAsync(_stopping.Token), CancellationToken.None);
        }
        await _known.Task.WaitAsync(bound, cancellationToken);
        return Route.Primary!;
    }

    /// <inheritdoc/>
    public PromotableCount PromotableReplicasOf(EndPoint primary, IReadOnlyDictionary<string, long> followers)
        => _promotable.Of(primary, followers, _roster.Majority);

    /// <inheritdoc/>
    public bool IsCurrent(in PromotableCount count) => _promotable.IsCurrent(count, _roster.Majority);

    /// <summary>Nothing to do: the Sentinels say so themselves.</summary>
    public void Refresh()
    {
    }

    /// <summary>
    /// Whether a Sentinel could start a failover: it has a quorum (<c>SENTINEL CKQUORUM</c>) and is not in TILT. True as soon
    /// as one says so; null when none answers within a second.
    /// </summary>
    public async Task<bool?> HasQuorumAsync()
    {
        bool? result = null;
        await foreach (var answer in Task.WhenEach(_links.Values.Select(l => l.CanFailOverAsync())))
        {
            if (await answer is { } can)
            {
                if (can)
                {
                    return true;
                }
                result = false;
            }
        }
        return result;
    }

    /// <summary>
    /// The region has become active, or is not any more. Sentinels that monitor it anew begin with the first epoch, and a primary that was
    /// a replica meanwhile is connected to anew; blocked reads at servers of a region that is none any more are ended.
    /// </summary>
    internal void RegionSwitched(bool isActive)
    {
        lock (_lock)
        {
            _epoch = isActive ? -1 : _epoch;
        }
        _isStandby = !isActive;
        if (!isActive)
        {
            Route.CloseDedicated();
        }
        else if (Route.Primary is { } primary)
        {
            _promotable.Followed(primary);
            Route.Follow(primary, planned: false);
            _ = new HandOver(Route, planned: false, _logger, renew: true).RunAsync();
        }
    }

    private async Task WatchAsync(CancellationToken stopping)
    {
        _began = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(s_ask);
        do
        {
            try
            {
                // Each on its own: one that is frozen answers by its timeout only.
                var nodes = _options!.EndPoints.Concat(_roster.Silent).Concat(_announced.Keys).Union(_links.Keys);
                await Task.WhenAll(nodes.Select(async sentinel =>
                {
                    if (!_links.TryGetValue(sentinel, out var link))
                    {
                        link = await SentinelLink.OpenAsync(_options, sentinel, _service, _tunnel!.Inner, OnHeard);
                        _links[sentinel] = link;
                        _logger.LogDebug("Sentinel {Sentinel} is asked from now on.", EndPointCollection.ToString(sentinel));
                    }
                    await AskAsync(link, stopping);
                }));
                await LookAsync();
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                _logger.LogDebug(e, "A look at the Sentinels failed and is made again.");
            }
        }
        while (await timer.WaitForNextTickAsync(stopping));
    }

    /// <summary>Drops those that are no Sentinels of this deployment any more.</summary>
    private async Task LookAsync()
    {
        foreach (var id in _roster.Look([.. Answers()], Stopwatch.GetElapsedTime(_began)))
        {
            _promotable.Forget(id);
            _logger.LogInformation("Sentinel {Sentinel} neither answers nor is named by the others, and does not count any more.", id);
        }
        foreach (var (node, _) in _announced.Where(a => Stopwatch.GetElapsedTime(a.Value) > SentinelRoster.Patience).ToList())
        {
            _announced.TryRemove(node, out _);
        }
        foreach (var node in _links.Keys.Except(_options!.EndPoints).Except(_announced.Keys).Where(n => !_roster.IsKnown(n)).ToList())
        {
            if (_links.TryRemove(node, out var link))
            {
                await link.DisposeAsync();
            }
        }
    }

    private void OnHeard(SentinelLink link, string channel, string message)
    {
        var words = message.Split(' ');
        // "master NAME ip port", "slave id ip port @ NAME ip port", "NAME old-ip old-port new-ip new-port".
        var at = Array.IndexOf(words, "@");
        var about = channel == "+switch-master" ? words[0] : at >= 0 && at + 1 < words.Length ? words[at + 1] : words.Length > 1 ? words[1]
            : "";
        if (about != _service)
        {
            return;
        }
        if (words[0] == "master" || channel is "+switch-master" or "+promoted-slave" or "+selected-slave")
        {
            Route.Observer.Heard(link.Node, channel);
        }
        switch (channel)
        {
            case "+selected-slave" or "+failover-state-wait-promotion" when words.Length > 3:
                if (NodeAddress.Parse(words[2], words[3]) is { } candidate)
                {
                    _ = WatchPromotionAsync(candidate);
                }
                break;
            case "+sentinel" when words.Length > 3:
                // Not at the next look: whoever says so may be replaced by then.
                if (NodeAddress.Parse(words[2], words[3]) is { } other)
                {
                    _announced[other] = Stopwatch.GetTimestamp();
                }
                break;
            // A replica that it lists from now on must have what is written, so not at the next look.
            case "+slave":
            case "-sdown" when words[0] == "slave":
            // A region that is promoted is monitored from then on.
            case "+switch-master" or "+promoted-slave" or "+config-update-from" or "+failover-end" or "+monitor":
                _ = AskAsync(link, _stopping.Token);
                break;
        }
    }

    /// <summary>Asks a replica that is being promoted until it is a primary.</summary>
    private async Task WatchPromotionAsync(EndPoint candidate)
    {
        if (!_watchedPromotions.TryAdd(candidate, true))
        {
            return;
        }
        var began = Stopwatch.GetTimestamp();
        NodeProbe? probe = null;
        try
        {
            while (Stopwatch.GetElapsedTime(began) < s_promotion && !candidate.Equals(Route.Primary) && !_stopping.IsCancellationRequested)
            {
                try
                {
                    probe ??= await NodeProbe.OpenAsync(_options!, candidate, _tunnel!.Inner, s_probe, _stopping.Token);
                    if (await probe.IsPrimaryAsync())
                    {
                        await FollowAsync(candidate, probe, epoch: null, force: false);
                        return;
                    }
                }
                catch (Exception e) when (e.IsOfRedis())
                {
                    // The promotion closes the connections of all clients.
                }
                await Task.Delay(s_promotionLook, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
        finally
        {
            _watchedPromotions.TryRemove(candidate, out _);
            if (probe is not null)
            {
                await probe.DisposeAsync();
            }
        }
    }

    private async Task AskAsync(SentinelLink link, CancellationToken stopping)
    {
        if (await link.AskAsync() is { } view && !stopping.IsCancellationRequested)
        {
            _refusedBy.TryRemove(link.Node, out _);
            _promotable.Heard(view);
            await ConsiderAsync(view);
        }
        else if (link.Refusal is { } refusal)
        {
            Refused(link.Node, refusal);
        }
    }

    /// <summary>Says it once of each: every look is refused again.</summary>
    private void Refused(EndPoint node, RedisServerException refusal)
    {
        var text = $"{EndPointCollection.ToString(node)} answers '{refusal.Message}'";
        if (PermissionDenied.Is(refusal))
        {
            text += "; to follow the primary the user needs ROLE on the servers and SENTINEL on the Sentinels, see docs/security.md";
        }
        _refusal = text;
        var isNew = !_refusedBy.TryGetValue(node, out var before) || before != text;
        _refusedBy[node] = text;
        if (isNew)
        {
            // The Sentinels of a standby monitor nothing.
            _logger.Log(_isStandby ? LogLevel.Debug : LogLevel.Error, "The primary cannot be followed: {Refusal}.", text);
        }
    }

    private async Task ConsiderAsync(SentinelView view)
    {
        if (view.Primary.Equals(Route.Primary))
        {
            lock (_lock)
            {
                _epoch = Math.Max(_epoch, view.Epoch);
            }
            return;
        }
        if (!IsToBeFollowed(view, out var force))
        {
            return;
        }
        try
        {
            await using var probe = await NodeProbe.OpenAsync(_options!, view.Primary, _tunnel!.Inner, s_probe, _stopping.Token);
            if (await probe.IsPrimaryAsync())
            {
                await FollowAsync(view.Primary, probe, view.Epoch, force);
            }
        }
        catch (Exception e) when (e is OperationCanceledException || e.IsOfRedis())
        {
            // It is to be the primary and is not yet, or is gone already. The next look finds out.
            if (e is RedisServerException refusal && RedisFailure.Of(e) == RedisFailureKind.Final)
            {
                Refused(view.Primary, refusal);
            }
            _logger.LogDebug(e, "{Node} should be the primary and does not say so.", EndPointCollection.ToString(view.Primary));
        }
    }

    /// <param name="view">What a Sentinel says.</param>
    /// <param name="force">A majority says so too, though the epoch is not newer.</param>
    private bool IsToBeFollowed(SentinelView view, out bool force)
    {
        force = false;
        var views = Views().ToList();
        lock (_lock)
        {
            if (Route.Primary is null)
            {
                // A Sentinel that was cut off may be the first to answer.
                return (views.Count > _options!.EndPoints.Count / 2 || Stopwatch.GetElapsedTime(_began) > s_ask)
                    && view.Epoch >= views.Max(v => v.Epoch);
            }
            if (view.Epoch > _epoch)
            {
                return true;
            }
            return force = Stopwatch.GetElapsedTime(Math.Max(Route.ChangedAt, _began)) > s_settled
                && views.Count(v => v.Primary.Equals(view.Primary)) >= _roster.Majority;
        }
    }

    private IEnumerable<SentinelView> Views() => Answers().Select(a => a.View).DistinctBy(v => v.Id);

    private IEnumerable<(EndPoint At, SentinelView View)> Answers()
        => _links.Values.Select(l => (l.Node, l.View)).Where(l => l.View is { } view && Stopwatch.GetElapsedTime(view.At) < 3 * s_ask)
        .Select(l => (l.Node, l.View!));

    /// <param name="node">Who calls itself a primary.</param>
    /// <param name="probe">A connection to it.</param>
    /// <param name="epoch">The epoch that says so; null when it was promoted a moment ago, and its epoch is not known yet.</param>
    /// <param name="force">Whether or not the epoch is newer.</param>
    private async Task FollowAsync(EndPoint node, NodeProbe probe, long? epoch, bool force)
    {
        await _deciding.WaitAsync(_stopping.Token);
        try
        {
            var former = Route.Primary;
            lock (_lock)
            {
                if (node.Equals(former))
                {
                    _epoch = Math.Max(_epoch, epoch ?? -1);
                    return;
                }
                if (epoch <= _epoch && !force)
                {
                    return;
                }
                _epoch = epoch ?? _epoch;
            }
            if (former is null)
            {
                Route.Follow(node, planned: false);
                FailoverMetrics.Begin();
                _known.TrySetResult();
                _logger.LogInformation("{Primary} is the primary.", EndPointCollection.ToString(node));
                return;
            }
            var planned = (string?)await probe.Database.StringGetAsync(SwitchoverKey) == EndPointCollection.ToString(former);
            _promotable.Followed(node);
            HandOver.Begin(Route, former, node, planned, _logger);
        }
        finally
        {
            _deciding.Release();
        }
    }
}
