using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Operation;
using AspireRedis.Coordination.Regions.Permission;
using AspireRedis.Coordination.Regions.Witnesses;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions;

/// <summary>
/// What people do with regions: look at them, switch as planned, promote the standby when the active region is lost, and take a region
/// back that was lost. One operation at a time, wherever it is asked for; what is refused has changed nothing.
/// </summary>
/// <remarks>
/// It works from any process that reaches the witnesses and, of the regions, those that the operation needs. When it dies in the middle,
/// the agents undo what was not decided and go on with what was.
/// Safe for concurrent use.
/// </remarks>
public sealed partial class RegionOperator : IAsyncDisposable
{
    private const string Operation = "region-operation";

    private readonly RegionOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly PermitWriter _permits;
    private readonly Dictionary<string, RegionServers> _regions;

    /// <summary>Creates the operator and begins to connect to the witnesses.</summary>
    /// <param name="options">
    /// Both regions and the witnesses; <see cref="RegionOptions.Name"/> is the region from which it works. Not to be changed afterwards.
    /// </param>
    /// <param name="clock">Measures the lease; null for the system's.</param>
    /// <param name="logger">Hears of each operation; null for nobody.</param>
    /// <exception cref="ArgumentException">An option cannot be used; the message names it.</exception>
    public RegionOperator(RegionOptions options, TimeProvider? clock = null, ILogger<RegionOperator>? logger = null)
        : this(options, clock ?? TimeProvider.System, (ILogger?)logger ?? NullLogger.Instance)
    {
    }

    internal RegionOperator(RegionOptions options, TimeProvider clock, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(isService: false);
        _options = options;
        _clock = clock;
        _logger = logger;
        _permits = new PermitWriter(_clock);
        Witnesses = new RegionWitnesses(options, _clock);
        _regions = options.Regions.ToDictionary(r => r.Name, r => new RegionServers(r, r.Name != options.Name, options.NodeTimeout),
            StringComparer.Ordinal);
    }

    internal RegionWitnesses Witnesses { get; }

    /// <summary>For tests: called behind each step of an operation, with the name that it has as an event of the span.</summary>
    internal Action<string>? StepDone { get; set; }

    internal RegionServers Servers(string region) => _regions[_options[region].Name];

    internal RegionServers Other(string region) => _regions[_options.Regions.First(r => r.Name != region).Name];

    internal RegionPromotion Promotion(string region)
        => new(Servers(region), this, _options, _permits, _logger);

    internal void Did(PromotionPhase phase, Activity? activity) => Did(phase.ToString().ToLowerInvariant(), activity);

    /// <summary>A step is done.</summary>
    internal void Did(string step, Activity? activity)
    {
        activity?.AddEvent(new ActivityEvent(step));
        StepDone?.Invoke(step);
    }

    /// <summary>Looks at everything, and changes nothing.</summary>
    /// <exception cref="RegionException">There is no majority of witnesses.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<RegionStatus> StatusAsync(CancellationToken cancellationToken = default)
    {
        var (last, holder) = await ReadAsync(cancellationToken);
        var looks = await Task.WhenAll(_options.Regions.Select(async region =>
        {
            var servers = Servers(region.Name);
            var sentinels = servers.LookAtSentinelsAsync(cancellationToken);
            return (Name: region.Name, Servers: await servers.LookAsync(cancellationToken), Sentinels: await sentinels);
        }));
        var active = looks.FirstOrDefault(l => l.Name == last?.Region);
        var primary = active.Name is null ? null : RegionServers.PrimaryOf(active.Servers, active.Sentinels);
        return new RegionStatus(last?.Region, last?.Epoch ?? 0, holder, Witnesses.Ready, Witnesses.Count, [.. looks.Select(look =>
        {
            var isActive = look.Name == last?.Region;
            var head = isActive ? primary : StandbyOf(look.Name).HeadOf(look.Servers);
            return new RegionReport(look.Name, isActive, head?.Link.Name, _options[look.Name].ServerNodes.Count, look.Servers.Count,
                look.Sentinels.Count(s => s.Primary is not null), !isActive && head is not null && IsInSync(head, look.Name, last),
                isActive || head is null || primary is null || head.Info.Id != primary.Info.Id ? null
                    : Math.Max(0, primary.Info.Offset - head.Info.Offset),
                isActive ? null : head?.Info.SilentFor);
        })]);
    }

    /// <summary>
    /// Makes the standby the active region, after the active one was lost. What that one had acknowledged and not replicated is lost with
    /// it, unless it comes back; see <see cref="StatusAsync"/> for how much that may be.
    /// </summary>
    /// <param name="region">The standby.</param>
    /// <param name="acceptLoss">
    /// Whether to promote a standby that was not in sync with the region that was active last, or is not known to have been.
    /// </param>
    /// <param name="cancellationToken">Gives up, as long as nothing is decided.</param>
    /// <exception cref="ArgumentException">There is no such region.</exception>
    /// <exception cref="RegionException">
    /// Refused: it is the active region, the other one still holds the lease, it was not in sync, somebody else is at it, or there is no
    /// majority of witnesses. Or it was begun and not ended, see <see cref="RegionException.IsChanged"/>.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is changed.</exception>
    public Task<RegionPromotionResult> PromoteAsync(string region, bool acceptLoss = false, CancellationToken cancellationToken = default)
        => OperateAsync("redis region promotion", region, isPlanned: false,
            activity => PromoteOnceAsync(region, acceptLoss, activity, cancellationToken), cancellationToken);

    /// <summary>
    /// Hands the right to accept writes over to the standby as planned: nothing is lost, and writes are held up for the time of it. Those
    /// that were held up are refused with the name of the new region and not made. Undone, with everything as it was before, when it
    /// takes longer than half of <see cref="RegionOptions.LongestHold"/> or fails before the witnesses have handed the lease over.
    /// </summary>
    /// <param name="region">The standby.</param>
    /// <param name="cancellationToken">Gives up, as long as nothing is decided.</param>
    /// <exception cref="ArgumentException">There is no such region.</exception>
    /// <exception cref="RegionException">
    /// Refused: it is the active region, the other one is not active or not reached, it is not in sync, somebody else is at it, or there
    /// is no majority of witnesses or of the Sentinels. Or it was given up, or not ended, see <see cref="RegionException.IsChanged"/>.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is changed.</exception>
    public Task<RegionPromotionResult> SwitchAsync(string region, CancellationToken cancellationToken = default)
        => OperateAsync("redis region switch", region, isPlanned: true, async activity =>
        {
            var (last, holder) = await ReadAsync(cancellationToken);
            if (last is not { } active)
            {
                throw new RegionException("No region has been active yet: the agents of the initial one make it so.");
            }
            if (active.Region == region)
            {
                throw new RegionException($"Region '{region}' is the active one already, epoch {active.Epoch}.");
            }
            if (holder != active.Region)
            {
                throw new RegionException($"Region '{active.Region}' does not hold the lease, epoch {active.Epoch}: promote instead.");
            }
            return await new RegionSwitch(Servers(active.Region), Servers(region), this, _options, _logger)
                .RunAsync(active, activity, cancellationToken);
        }, cancellationToken);

    /// <summary>
    /// Makes a region that was lost, and came back with writes that the active one has not, a standby again. Those writes go to a file
    /// first, one line of JSON for each: region, epoch, server, encoding and the command, from which people can make them again. A region
    /// without such writes its agent attaches by itself.
    /// </summary>
    /// <param name="region">The region that was lost.</param>
    /// <param name="file">The file; it must not exist.</param>
    /// <param name="appendOnlyDirectory">
    /// Where the append-only file of its server is as this process sees it; null for where the server says. It is read only when the
    /// server was started again since.
    /// </param>
    /// <param name="cancellationToken">Gives up, as long as nothing is overwritten.</param>
    /// <exception cref="ArgumentException">There is no such region.</exception>
    /// <exception cref="RegionException">
    /// Refused: it is the active region or a standby already, a server is not reached or its writes cannot be read, somebody else is at
    /// it, or there is no majority of witnesses. Nothing is overwritten.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is overwritten.</exception>
    public Task<RegionFailbackResult> FailbackAsync(
        string region, string file, string? appendOnlyDirectory = null, CancellationToken cancellationToken = default)
        => FailbackAsync(region, file, (_, directory, _) => Task.FromResult(appendOnlyDirectory ?? directory), cancellationToken);

    /// <param name="region">The region that was lost.</param>
    /// <param name="file">Where what only it has goes.</param>
    /// <param name="filesOf">
    /// From a server and the directory of its append-only file: where this process reads that. Asked when the server takes no writes.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task<RegionFailbackResult> FailbackAsync(string region, string file,
        Func<EndPoint, string, CancellationToken, Task<string>> filesOf, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(file);
        _ = _options[region];
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity("redis region failback", ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("redis.region", region);
        try
        {
            await using var turn = await TakeTurnAsync(cancellationToken);
            var (last, _) = await ReadAsync(cancellationToken);
            if (last is not { } active || active.Region == region)
            {
                throw new RegionException($"Region '{region}' is the active one.");
            }
            return await new RegionFailback(Servers(region), Other(region), this, _logger)
                .RunAsync(active, file, filesOf, activity, cancellationToken);
        }
        catch (Exception e)
        {
            activity.Fail(e);
            if (RegionPromotion.IsAway(e, cancellationToken))
            {
                throw new RegionException($"A node did not do its part: {e.Message}", isChanged: false, e);
            }
            throw;
        }
    }

    /// <summary>
    /// Copies what a region has at one moment to a folder, from one of its replicas, or from its primary when no replica is in sync: of a
    /// standby as well as of the active region. Nothing is changed, and services go on.
    /// </summary>
    /// <param name="region">The region.</param>
    /// <param name="directory">The folder; it must be empty, or not exist.</param>
    /// <param name="progress">Hears of the bytes; null for nobody.</param>
    /// <param name="cancellationToken">Ends it; nothing is left in the folder.</param>
    /// <returns>What was taken; it stands in the folder too.</returns>
    /// <exception cref="ArgumentException">There is no such region.</exception>
    /// <exception cref="RegionException">The folder is not empty, no server of the region has a copy to give, or it broke off.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task<RegionBackup> BackupAsync(string region, string directory, IProgress<RegionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        return new RegionSnapshot(Servers(region), _clock, _logger).TakeAsync(directory, progress, cancellationToken);
    }

    /// <summary>
    /// Writes a backup into the active region, and so into the standby. Both must be empty but for what waiting services have made.
    /// Services are refused with <see cref="RegionNotActiveException"/> meanwhile.
    /// </summary>
    /// <param name="loaded">
    /// A server that has loaded the file (<c>dbfilename</c>) and has nothing else: a process of <c>redis-server</c> for this purpose.
    /// </param>
    /// <param name="progress">Hears of the keys; null for nobody.</param>
    /// <param name="cancellationToken">Gives up, as long as nothing is written.</param>
    /// <exception cref="RegionException">
    /// Refused: no region is active, its primary is not reached, a server of either region is not empty, somebody else is at it, or there
    /// is no majority of witnesses. Or it broke off, see <see cref="RegionException.IsChanged"/>: a part is written then.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is changed.</exception>
    public async Task<RegionRestoreResult> RestoreAsync(IConnectionMultiplexer loaded, IProgress<RegionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(loaded);
        await using var turn = await TakeTurnAsync(cancellationToken);
        var (last, holder) = await ReadAsync(cancellationToken);
        if (last is not { } active || holder != active.Region)
        {
            throw new RegionException("No region is active: its agent makes it so, or promote one.");
        }
        var result = await new RegionRestore(Servers(active.Region), Other(active.Region), _logger)
            .RunAsync(active, loaded, progress, cancellationToken);
        return (await ReadAsync(CancellationToken.None)).Last == last ? result
            : throw new RegionException($"Another region than '{active.Region}' is active now: what it has of the backup is not known.",
                isChanged: true);
    }

    /// <summary>Closes its connections.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var servers in _regions.Values)
        {
            await servers.DisposeAsync();
        }
        await Witnesses.DisposeAsync();
    }

    internal RegionStandby StandbyOf(string region) => new(Servers(region), Other(region), _logger);

    private async Task<RegionPromotionResult> PromoteOnceAsync(
        string region, bool acceptLoss, Activity? activity, CancellationToken cancellationToken)
    {
        var began = _clock.GetTimestamp();
        var (last, holder) = await ReadAsync(cancellationToken);
        if (last is not { } active)
        {
            throw new RegionException("No region has been active yet: the agents of the initial one make it so.");
        }
        if (holder == region && active.Region == region)
        {
            throw new RegionException($"Region '{region}' is the active one already, epoch {active.Epoch}.");
        }
        // Where it is its own, somebody had begun to promote it.
        if (holder is not null && holder != region)
        {
            throw new RegionException(
                $"Region '{holder}' is active and holds the lease, epoch {active.Epoch}. Switch as planned, or wait until it is lost.");
        }
        var servers = await Servers(region).LookAsync(cancellationToken);
        var head = Promotion(region).HeadOf(servers)
            ?? throw new RegionException($"No server of region '{region}' answers: {string.Join(", ", Servers(region).Servers.Select(s => s.Name))}.");
        // Where its own promotion stopped half-way it has what it needs.
        if (!acceptLoss && active.Region != region && !HasDataOf(head, active))
        {
            throw new RegionException(
                $"Region '{region}' is not in sync: {head.Link.Name} has the data of {head.Last?.ToString() ?? "no region"}, and '{active}' was active last.");
        }
        cancellationToken.ThrowIfCancellationRequested();
        RegionLease? lease;
        try
        {
            lease = await Witnesses.AcquireAsync(region, active.Epoch, CancellationToken.None);
        }
        catch (NoQuorumException e)
        {
            throw new RegionException(e.Message, isChanged: false, e);
        }
        if (lease is null)
        {
            throw new RegionException($"Region '{region}' did not get the lease: the other region holds it again.");
        }
        Did(PromotionPhase.Leased, activity);
        await Witnesses.WriteAsync(new RegionPermit(region, lease.Epoch), CancellationToken.None);
        Did(PromotionPhase.Recorded, activity);
        try
        {
            await Promotion(region).RunAsync(head.Link, lease, activity, CancellationToken.None);
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, CancellationToken.None))
        {
            throw new RegionException($"Region '{region}' is to be the active one, and {head.Link.Name} did not do its part: {e.Message}",
                isChanged: true, e);
        }
        var took = _clock.GetElapsedTime(began);
        return new RegionPromotionResult(region, lease.Epoch, head.Link.Node, took, took);
    }

    /// <summary>Whether a server has what the region that was active last has written, as far as it had come.</summary>
    internal static bool HasDataOf(ServerState server, RegionPermit active) => server.Last == active;

    internal bool IsInSync(ServerState head, string region, RegionPermit? active)
        => active is { } last && HasDataOf(head, last) && head.Info.IsLinked && head.Primary is { } primary
            && !_options[region].HasServer(primary);

    /// <summary>One at a time, in all processes.</summary>
    private async Task<T> OperateAsync<T>(string name, string region, bool isPlanned, Func<Activity?, Task<T>> operation,
        CancellationToken cancellationToken)
        where T : class
    {
        _ = _options[region];
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity(name, ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("redis.region", region);
        activity?.SetTag("redis.region.planned", isPlanned);
        try
        {
            await using var turn = await TakeTurnAsync(cancellationToken);
            var result = await operation(activity);
            RegionMetrics.Promotions.Add(1, RegionMetrics.Of(region), new("redis.region.planned", isPlanned));
            return result;
        }
        catch (Exception e)
        {
            activity.Fail(e);
            throw;
        }
    }

    private async Task<ILease> TakeTurnAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Witnesses.TryWorkAsync(Operation, _options.LeaseTtl, TimeSpan.Zero, cancellationToken)
                ?? throw new RegionException("Somebody else operates on the regions at the moment.");
        }
        catch (NoQuorumException e)
        {
            throw new RegionException($"There is no majority of witnesses: {e.Message}", isChanged: false, e);
        }
    }

    private async Task<(RegionPermit? Last, string? Holder)> ReadAsync(CancellationToken cancellationToken)
        => await Witnesses.ReadAsync(cancellationToken);
}
