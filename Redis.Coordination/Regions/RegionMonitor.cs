using System.Diagnostics;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Regions;

/// <summary>
/// Knows whether the region of this process accepts writes, from its own servers, and which region does. With it a
/// <see cref="RedisDeployment"/> checks each script on the server, refuses writes of a standby before they are sent, and takes an answer
/// for one only if the permission outlasted it.
/// </summary>
/// <remarks>
/// It asks every server of its region each <see cref="RegionOptions.Interval"/>; it needs neither the other region nor the witnesses: what
/// those say of a region that was lost and is back, its agent writes down there.
/// Safe for concurrent use.
/// </remarks>
public sealed class RegionMonitor : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromMilliseconds(25);
    // A server of a standby that does not answer must not hold refusals up.
    private static readonly TimeSpan s_lookBound = TimeSpan.FromMilliseconds(100);

    private readonly RegionOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly IReadOnlyList<NodeLink> _servers;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RegionState? _current;
    private Task? _looking;
    private Task? _watching;

    /// <summary>Creates the monitor; it begins to ask when it is started, or with the first write.</summary>
    /// <param name="options"><see cref="RegionOptions.Name"/> and the definition of that region. Not to be changed afterwards.</param>
    /// <param name="clock">Paces it; null for the system's.</param>
    /// <param name="logger">Hears of changes; null for nobody.</param>
    /// <exception cref="ArgumentException">An option cannot be used; the message names it.</exception>
    public RegionMonitor(RegionOptions options, TimeProvider? clock = null, ILogger<RegionMonitor>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(isService: true);
        _options = options;
        _clock = clock ?? TimeProvider.System;
        _logger = logger ?? NullLogger<RegionMonitor>.Instance;
        var own = options.Own;
        _servers = [.. own.ServerNodes.Select(
            node => new NodeLink(node, own.ReachedAt(node, fromOutside: false), own.Connection, options.NodeTimeout))];
        Guard = new RegionGuard(this, own.Name);
    }

    /// <summary>The region of this process.</summary>
    public string Region => _options.Name;

    /// <summary>What is known; null before the first look.</summary>
    public RegionState? Current => Volatile.Read(ref _current);

    internal RegionGuard Guard { get; }

    internal RegionDefinition? Other => _options.Regions.FirstOrDefault(r => r.Name != _options.Name);

    /// <summary>Raised when the region has become active, or is not any more. Handlers must not block.</summary>
    internal event Action<RegionState>? Switched;

    /// <summary>Until the region accepts writes, as far as is known.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task WaitUntilActiveAsync(CancellationToken cancellationToken = default)
    {
        EnsureWatching();
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                changed = _changed.Task;
            }
            if (Current is { IsActive: true } state && Stopwatch.GetTimestamp() < state.ActiveUntil)
            {
                return;
            }
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>
    /// What is known, for somebody who wants to write. A standby looks again first, at most each 25 ms and for at most 100 ms: in a switch
    /// whoever is refused here goes to the region that was active, which refuses too.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null before the first look.</returns>
    public ValueTask<RegionState?> CurrentForWriteAsync(CancellationToken cancellationToken = default)
        => Current is { IsReached: true, IsActive: false } state && Stopwatch.GetElapsedTime(state.AskedAt) > s_fresh
            ? new ValueTask<RegionState?>(LookForWriteAsync(cancellationToken))
            : new ValueTask<RegionState?>(Current);

    private async Task<RegionState?> LookForWriteAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await LookAsync(cancellationToken).WaitAsync(s_lookBound, cancellationToken);
        }
        catch (TimeoutException)
        {
            return Current;
        }
    }

    /// <summary>Asks the servers now; who asks meanwhile gets the same answer only if it was asked for after they did.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What they say.</returns>
    public async Task<RegionState> LookAsync(CancellationToken cancellationToken = default)
    {
        EnsureWatching();
        Task? before;
        lock (_lock)
        {
            before = _looking;
        }
        if (before is not null)
        {
            // It may have asked before our caller had its answer.
            await before.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
        Task looking;
        lock (_lock)
        {
            looking = _looking is null || ReferenceEquals(_looking, before) || _looking.IsCompleted ? _looking = LookOnceAsync() : _looking;
        }
        await looking.WaitAsync(cancellationToken);
        return Current!;
    }

    /// <inheritdoc/>
    Task IHostedService.StartAsync(CancellationToken cancellationToken)
    {
        EnsureWatching();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    Task IHostedService.StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends asking.</summary>
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
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
        _stopping.Dispose();
    }

    private void EnsureWatching()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            _watching ??= Task.Run(WatchAsync);
        }
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(_options.Interval, _clock);
        do
        {
            try
            {
                await LookAsync(_stopping.Token);
            }
            catch (Exception e) when (!_stopping.IsCancellationRequested)
            {
                _logger.LogDebug(e, "The servers of region {Region} could not be asked.", Region);
            }
        }
        while (await timer.WaitForNextTickAsync(_stopping.Token));
    }

    private async Task LookOnceAsync()
    {
        var asked = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(_servers.Select(s => s.TryAsync(_stopping.Token,
            ["GET", RegionPermit.Key], ["PTTL", RegionPermit.Key], ["GET", RegionPermit.LastKey], ["ROLE"],
            ["GET", RegionPermit.ActiveKey])));
        RegionPermit? last = null;
        RegionPermit? permit = null;
        var until = 0L;
        var isOfPrimary = false;
        foreach (var answer in answers)
        {
            if (answer is null)
            {
                continue;
            }
            var granted = RegionPermit.Parse(answer[0] as string);
            foreach (var known in new[] { granted, RegionPermit.Parse(answer[2] as string), RegionPermit.Parse(answer[4] as string) })
            {
                last = known is { } k && (last is null || k.Epoch > last.Value.Epoch) ? k : last;
            }
            if (granted is { } g && answer[1] is long left and > 0 && (permit is null || g.Epoch >= permit.Value.Epoch))
            {
                // A replica has the end of its primary, and another clock.
                var primarys = (answer[3] as object?[])?[0] as string == "master";
                if (permit != g || primarys || !isOfPrimary)
                {
                    until = permit == g && primarys == isOfPrimary ? Math.Max(until, End(left)) : End(left);
                    isOfPrimary = primarys;
                }
                permit = g;
            }
        }
        // One that was granted before the other region's last is void, should it still be in force on a server that was away.
        var isActive = permit is { } p && p.Region == Region && p.Epoch >= last!.Value.Epoch;
        var former = Current;
        var isReached = Array.Exists(answers, a => a is not null);
        Publish(isReached
            ? new RegionState(Region, isActive, last?.Region, last?.Epoch ?? 0, true)
            {
                ActiveUntil = isActive ? until : 0, AskedAt = asked,
            }
            : new RegionState(Region, former is { IsActive: true } && asked < former.ActiveUntil, former?.ActiveRegion, former?.Epoch ?? 0,
                IsReached: false)
            {
                ActiveUntil = former?.ActiveUntil ?? 0, AskedAt = asked,
            });

        // Counted from before the question: it never seems to last longer than it does.
        long End(long milliseconds) => asked + (milliseconds * Stopwatch.Frequency / 1000);
    }

    private void Publish(RegionState state)
    {
        var former = Current;
        var isSwitched = state.IsActive != (former?.IsActive ?? false);
        if (isSwitched && state.IsActive)
        {
            // Before the first command: its connections may not be fit for it.
            Switched?.Invoke(state);
        }
        TaskCompletionSource changed;
        lock (_lock)
        {
            Volatile.Write(ref _current, state);
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        RegionMetrics.Active.Record(state.IsActive ? 1 : 0, RegionMetrics.Of(Region));
        RegionMetrics.Epoch.Record(state.Epoch, RegionMetrics.Of(Region));
        if (isSwitched || former is null)
        {
            _logger.LogInformation("Region {Region} {Accepts} writes; the active region is {Active}, epoch {Epoch}.", Region,
                state.IsActive ? "accepts" : "does not accept", state.ActiveRegion ?? "not known", state.Epoch);
        }
        if ((isSwitched || former is null) && !state.IsActive)
        {
            Switched?.Invoke(state);
        }
        changed.TrySetResult();
    }
}
