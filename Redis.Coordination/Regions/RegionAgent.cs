using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Operation;
using AspireRedis.Coordination.Regions.Permission;
using AspireRedis.Coordination.Regions.Witnesses;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Regions;

/// <summary>
/// Works for one region. While that is the active one it renews the lease at the witnesses and writes the permission into the primary,
/// wherever a failover takes it. While it is the standby it keeps its servers attached to the active region's primary, watches how far
/// they are behind, and promotes them when that region is lost, if it may.
/// </summary>
/// <remarks>
/// <para>
/// Run two for each region: one works, under a lease of its own, and another takes over within two fifths of
/// <see cref="RegionOptions.LeaseTtl"/> when it dies, under the same epoch and before the permission is over. It keeps no state: what is
/// to be done is seen from witnesses, servers and Sentinels, so it goes on with what another one has begun.
/// </para>
/// <para>
/// It commands servers and Sentinels of its own region only, and writes to the other one only what a failover there has lost and the
/// standby still has.
/// </para>
/// </remarks>
public sealed class RegionAgent : IHostedService, IAsyncDisposable
{
    private readonly RegionOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly PermitWriter _permits;
    private readonly RegionOperator _operator;
    private readonly RegionStandby _standby;
    private readonly ReplicationLag _lag = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task? _running;
    private RegionLease? _lease;
    private NodeLink? _primary;
    private NodeLink? _tidied;
    private string? _lagOf;
    private long _lastSeen;
    private string? _trouble;

    /// <summary>Creates the agent; it begins to work when it is started.</summary>
    /// <param name="options">Both regions and the witnesses. Not to be changed afterwards.</param>
    /// <param name="clock">Measures the lease; null for the system's.</param>
    /// <param name="logger">Hears of what it does; null for nobody.</param>
    /// <exception cref="ArgumentException">An option cannot be used; the message names it.</exception>
    public RegionAgent(RegionOptions options, TimeProvider? clock = null, ILogger<RegionAgent>? logger = null)
    {
        _clock = clock ?? TimeProvider.System;
        _logger = logger ?? NullLogger<RegionAgent>.Instance;
        _operator = new RegionOperator(options, _clock, _logger);
        _options = options;
        _permits = new PermitWriter(_clock);
        _standby = _operator.StandbyOf(options.Name);
        _lastSeen = _clock.GetTimestamp();
    }

    /// <summary>Whether it is the one that works for its region.</summary>
    public bool IsWorking { get; private set; }

    /// <summary>Whether its region is the active one, and it has renewed that last.</summary>
    public bool IsActive => _lease is { } lease && _clock.GetTimestamp() < lease.ValidUntil;

    /// <summary>What a person has to look after, such as a region that came back with writes of its own; null for nothing.</summary>
    public string? Attention => _standby.Attention;

    /// <summary>How far its region was behind when that was last seen, in bytes; null while it is not a standby.</summary>
    public long? LagBytes { get; private set; }

    /// <summary>How far its region is behind; null while it is not a standby, and before it was level for the first time.</summary>
    public TimeSpan? Lag => LagBytes is null ? null : _lag.Time;

    internal RegionOperator Operator => _operator;

    private RegionServers Own => _operator.Servers(_options.Name);

    private RegionServers Other => _operator.Other(_options.Name);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _running ??= Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Stops working, so that another one may take over at once. The region stays what it is.</summary>
    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
        }
        if (_running is { } running)
        {
            await running.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Stops, and closes all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        await _operator.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var stopping = _stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                // Shorter than the region's, so that the next one is there before that is over.
                await using var work = await _operator.Witnesses.TryWorkAsync(
                    $"region-agent:{_options.Name}", _options.LeaseTtl * 0.4, _options.LeaseTtl, stopping);
                if (work is not null)
                {
                    await WorkAsync(work, stopping);
                }
            }
            catch (Exception) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Report($"it cannot work: {e.Message}");
                await Task.Delay(_options.Interval, _clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WorkAsync(ILease work, CancellationToken stopping)
    {
        _logger.LogInformation("An agent works for region {Region}.", _options.Name);
        IsWorking = true;
        _primary = null;
        _tidied = null;
        _lastSeen = _clock.GetTimestamp();
        try
        {
            using var timer = new PeriodicTimer(_options.Interval, _clock);
            do
            {
                try
                {
                    await TendAsync(stopping);
                    Report(null);
                }
                catch (Exception e) when (!stopping.IsCancellationRequested)
                {
                    // Whatever it is, the next look is made.
                    Report(e.Message);
                }
            }
            while (work.IsHeld && await timer.WaitForNextTickAsync(stopping));
        }
        finally
        {
            IsWorking = false;
            _lease = null;
        }
    }

    private async Task TendAsync(CancellationToken cancellationToken)
    {
        var (last, holder) = await _operator.Witnesses.ReadAsync(cancellationToken);
        if (last is null)
        {
            await BeginAsync(cancellationToken);
        }
        else if (last.Value.Region == _options.Name)
        {
            LagBytes = null;
            await TendActiveAsync(last.Value, cancellationToken);
        }
        else
        {
            _lease = null;
            _primary = null;
            await TendStandbyAsync(last.Value, holder, cancellationToken);
        }
    }

    /// <summary>
    /// The witnesses know of no active region. In the beginning it is the initial one; if they have forgotten, it is the one whose
    /// servers say that it was.
    /// </summary>
    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (await Own.FindPrimaryAsync(cancellationToken) is not { } primary)
        {
            return;
        }
        var known = (await Own.LookAsync(cancellationToken)).Concat(await Other.LookAsync(cancellationToken)).Select(s => s.Last)
            .MaxBy(l => l?.Epoch ?? 0);
        if (known is null ? _options.Initial == _options.Name : known == primary.Last && known.Value.Region == _options.Name)
        {
            await TakeAsync(known?.Epoch ?? 0, cancellationToken);
        }
    }

    private async Task TendActiveAsync(RegionPermit last, CancellationToken cancellationToken)
    {
        var sentinels = Own.LookAtSentinelsAsync(cancellationToken);
        var servers = await Own.LookAsync(cancellationToken);
        if (servers.Count > 0)
        {
            _lastSeen = _clock.GetTimestamp();
        }
        else if (_clock.GetElapsedTime(_lastSeen) > _options.PromoteAfter)
        {
            // Held on to, it would keep the other region from being promoted. It runs out by itself, and not earlier: what is frozen
            // may still have a permission.
            _lease = null;
            throw new RegionException("no server of the region answers, and its lease is not renewed");
        }
        if (await RenewAsync(last, cancellationToken) is not { } lease)
        {
            return;
        }
        var primary = RegionServers.PrimaryOf(servers, await sentinels);
        if (primary is null)
        {
            _primary = null;
            if (sentinels.Result.Count(s => s is { IsReached: true, Primary: null }) > Own.Sentinels.Count / 2 && servers.Count > 0)
            {
                // Nobody else will make one: a promotion was not ended.
                await _operator.Promotion(_options.Name).RunAsync(lease, activity: null, cancellationToken);
            }
            return;
        }
        if (await _permits.GrantAsync(primary.Link, new RegionPermit(lease.Region, lease.Epoch), lease.ValidUntil, cancellationToken)
            is { } newer)
        {
            throw new RegionException($"{primary.Link.Name} knows of '{newer}', and epoch {lease.Epoch} is none any more");
        }
        if (primary.HandOver is { } handOver && handOver.Epoch == lease.Epoch)
        {
            // The Sentinels have let go of it for a planned switch.
            _tidied = null;
            return;
        }
        await TidyAsync(primary.Link, cancellationToken);
        if (!ReferenceEquals(_primary, primary.Link) || sentinels.Result.Any(s => s is { IsReached: true, Primary: null }))
        {
            if (_primary is null || sentinels.Result.All(s => s.Primary is null))
            {
                // Its own first look: who knows what another one had come to.
                await FinishAsync(primary, servers, sentinels.Result, cancellationToken);
            }
            else
            {
                await _operator.Promotion(_options.Name).MonitorAsync(primary.Link, cancellationToken);
            }
            _primary = primary.Link;
        }
    }

    /// <summary>What a switch may have left that died in the middle: once for each server that it could have been.</summary>
    private async Task TidyAsync(NodeLink server, CancellationToken cancellationToken)
    {
        if (!ReferenceEquals(_tidied, server) && await RegionSwitch.TidyAsync(server, cancellationToken))
        {
            _tidied = server;
        }
    }

    /// <summary>What a promotion may have left.</summary>
    private async Task FinishAsync(ServerState primary, IReadOnlyList<ServerState> servers, SentinelState[] sentinels,
        CancellationToken cancellationToken)
    {
        var priorities = await Task.WhenAll(servers.Select(s => s.Link.TryAsync(cancellationToken, ["CONFIG", "GET", "replica-priority"])));
        var isPromotable = priorities.All(p => p?[0] is object?[] and [_, string priority] && priority != "0");
        var isFollowed = servers.All(s => s.IsPrimary || primary.Link.Node.Equals(s.Primary));
        if (!isPromotable || !isFollowed || sentinels.Any(s => s is { IsReached: true, Primary: null }))
        {
            await _operator.Promotion(_options.Name).FinishAsync(primary.Link, activity: null, cancellationToken);
        }
    }

    private async Task<RegionLease?> RenewAsync(RegionPermit last, CancellationToken cancellationToken)
    {
        if (_lease is { } held && held.Epoch == last.Epoch
            && _clock.GetElapsedTime(_clock.GetTimestamp(), held.ValidUntil) > _options.LeaseTtl * 0.8)
        {
            return held;
        }
        try
        {
            return _lease = await _operator.Witnesses.RenewAsync(last.Region, last.Epoch, cancellationToken)
                ?? await TakeAsync(last.Epoch, cancellationToken);
        }
        catch (NoQuorumException e)
        {
            // What is left of it may be used.
            Report(e.Message);
            return _lease is { } left && left.ValidUntil > _clock.GetTimestamp() ? left : null;
        }
    }

    /// <summary>Takes the lease anew, where it is over; null when it has passed to the other region.</summary>
    private async Task<RegionLease?> TakeAsync(long above, CancellationToken cancellationToken)
    {
        if (await _operator.Witnesses.AcquireAsync(_options.Name, above, cancellationToken) is not { } lease)
        {
            return null;
        }
        // Asked again under the lease: the other one may have been promoted since, and have lost its lease again.
        var (last, _) = await _operator.Witnesses.ReadAsync(cancellationToken);
        if (last is { } permit && permit.Region != _options.Name)
        {
            await _operator.Witnesses.ReleaseAsync(lease);
            return null;
        }
        await _operator.Witnesses.WriteAsync(new RegionPermit(lease.Region, lease.Epoch), cancellationToken);
        _logger.LogInformation("Region {Region} has the lease, epoch {Epoch}.", lease.Region, lease.Epoch);
        return _lease = lease;
    }

    private async Task TendStandbyAsync(RegionPermit active, string? holder, CancellationToken cancellationToken)
    {
        var seen = _clock.GetTimestamp();
        var at = Stopwatch.GetTimestamp();
        var primary = await Other.FindPrimaryAsync(cancellationToken);
        if (primary is not null)
        {
            _lastSeen = seen;
        }
        var head = await _standby.TendAsync(primary, active.Epoch,
            async () => (await _operator.Witnesses.ReadAsync(cancellationToken)).Last == active, cancellationToken);
        if (head is null)
        {
            throw new RegionException("no server of the region answers");
        }
        await TidyAsync(head.Link, cancellationToken);
        if (head is { IsPrimary: true, IsEmpty: false } && (head.Last?.Epoch ?? 0) < active.Epoch)
        {
            await AnnounceAsync(head.Link, active, cancellationToken);
        }
        if (primary is not null && head.Info.Id == primary.Info.Id)
        {
            if (_lagOf != primary.Info.Id)
            {
                _lag.Reset();
                _lagOf = primary.Info.Id;
            }
            _lag.Saw(at, primary.Info.Offset, head.Info.Offset);
            LagBytes = _lag.Bytes;
            RegionMetrics.LagBytes.Record(_lag.Bytes, RegionMetrics.Of(_options.Name));
        }
        LagBytes ??= 0;
        if (_lag.Time is { } behind)
        {
            RegionMetrics.Lag.Record(behind.TotalSeconds, RegionMetrics.Of(_options.Name));
        }
        if (_options.PromoteAutomatically && primary is null && holder is null
            && _clock.GetElapsedTime(_lastSeen) >= _options.PromoteAfter && MayPromote(head, active))
        {
            _logger.LogWarning("Region {Active} is lost: its lease is over and it has not been reached for {Elapsed:0.0} s.", active.Region,
                _clock.GetElapsedTime(_lastSeen).TotalSeconds);
            var result = await _operator.PromoteAsync(_options.Name, acceptLoss: false, cancellationToken);
            _logger.LogWarning("Region {Region} is the active one, epoch {Epoch}.", result.Region, result.Epoch);
        }
    }

    /// <summary>
    /// Tells a primary of before, and so the services of its region, who is active now: what is written there does not come here. It is
    /// none of the writes that a failback keeps.
    /// </summary>
    private static async Task AnnounceAsync(NodeLink former, RegionPermit active, CancellationToken cancellationToken)
    {
        if (await former.TryAsync(cancellationToken, ["GET", RegionPermit.ActiveKey]) is [var known]
            && known as string != active.ToString())
        {
            // Refused where it follows that one by now, or takes no writes while a failback reads it.
            await former.TryAsync(cancellationToken, ["SET", RegionPermit.ActiveKey, active.ToString()]);
        }
    }

    /// <summary>
    /// Not after the standby had been cut off for long while the other region went on: how much is lost then is for a person to judge.
    /// </summary>
    private bool MayPromote(ServerState head, RegionPermit active)
    {
        var may = RegionOperator.HasDataOf(head, active) && head.Info.SilentFor is { } silent
            && silent <= _options.LongestSilence + _options.LeaseTtl + _options.PromoteAfter;
        if (!may)
        {
            Report($"the active region is lost, and {head.Link.Name} was not in sync with it: promote it by command");
        }
        return may;
    }

    /// <summary>Says each trouble once.</summary>
    private void Report(string? trouble)
    {
        // Without figures: those of a cause that lasts change with each look.
        var kind = trouble is null ? null : string.Concat(trouble.Where(c => !char.IsAsciiDigit(c)));
        if (kind is not null && kind != _trouble)
        {
            _logger.LogWarning("The agent of region {Region}: {Trouble}", _options.Name, trouble);
        }
        _trouble = kind;
    }
}
