using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Regions;
using AspireRedis.Hosting.Resources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Regions;

/// <summary>Asks each second how the regions are, shows it, and says what they lack.</summary>
internal sealed class RegionsWatcher(RedisRegionsResource regions)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private volatile RegionStatus? _status;
    private volatile string? _trouble = "The regions are not started yet.";
    private bool _wasUsable;

    public async Task InitializeAsync(InitializeResourceEvent @event, CancellationToken cancellationToken)
    {
        var lifetime = @event.Services.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStopped.Register(() => regions.Link.DisposeAsync().AsTask().GetAwaiter().GetResult());
        await @event.Eventing.PublishAsync(new BeforeResourceStartedEvent(regions, @event.Services), cancellationToken);
        await @event.Notifications.PublishUpdateAsync(regions, s => s with { StartTimeStamp = DateTime.UtcNow });
        _ = RunAsync(@event.Notifications, @event.Logger, lifetime.ApplicationStopping);
    }

    /// <summary>What the regions lack; null when one is active and the other in sync with it.</summary>
    public Task<string?> MissingAsync(CancellationToken cancellationToken) => Task.FromResult(_status is { } status && _trouble is null
        ? Missing(status) : _trouble);

    /// <summary>What is missing for the loss of a region to be survived.</summary>
    internal static string? Missing(RegionStatus status)
        => status.LeaseHolder is null ? "No region has the right to accept writes."
            : status.WitnessesReady <= status.Witnesses / 2 ? $"Only {status.WitnessesReady} of {status.Witnesses} witnesses can be counted on."
            : status.Regions.FirstOrDefault(r => !r.IsActive && !r.IsInSync) is { } standby ? $"{standby.Name} is not in sync."
            : null;

    /// <summary>
    /// Whether a region is there that was lost: its head follows nobody, so it has heard of no primary. One whose line is cut follows.
    /// </summary>
    internal static bool CanFailBack(RegionStatus status)
        => status.LeaseHolder is not null
            && status.Regions.Any(r => r is { IsActive: false, IsInSync: false, Head: not null, SilentFor: null });

    private async Task RunAsync(ResourceNotificationService notifications, ILogger logger, CancellationToken stopping)
    {
        try
        {
            await Task.WhenAll(regions.Active.PreparedAsync(stopping), regions.Standby.PreparedAsync(stopping),
                regions.Witnesses.PreparedAsync(stopping));
            // Directly: to look is not to depend on the line.
            await using var looking = new RegionOperator(regions.OptionsFor(regions.ActiveRegion, linked: false));
            using var timer = new PeriodicTimer(s_interval);
            while (await timer.WaitForNextTickAsync(stopping))
            {
                try
                {
                    var status = await looking.StatusAsync(stopping);
                    if (_status is { ActiveRegion: { } former } && status.ActiveRegion != former)
                    {
                        logger.LogInformation("{Region} is the active region now, in the place of {Former} (epoch {Epoch}).",
                            status.ActiveRegion, former, status.Epoch);
                    }
                    (_status, _trouble) = (status, null);
                    await ShowAsync(notifications, status);
                }
                catch (RegionException e)
                {
                    _trouble = e.Message;
                    await PublishAsync(notifications, [], e.Message);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    _trouble = e.Message;
                    logger.LogWarning(e, "The state of the regions could not be shown.");
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The end.
        }
        catch (Exception e)
        {
            _trouble = e.Message;
            logger.LogError(e, "The regions cannot be watched.");
            await notifications.PublishUpdateAsync(regions, s => s with { State = KnownResourceStates.FailedToStart });
        }
    }

    private Task ShowAsync(ResourceNotificationService notifications, RegionStatus status)
    {
        var standby = status.Regions.FirstOrDefault(r => !r.IsActive);
        return PublishAsync(notifications,
        [
            ShownProperty.Highlighted(RegionProperty.Active, "Active region", status.ActiveRegion ?? "none"),
            ShownProperty.Highlighted(RegionProperty.Holder, "May accept writes", status.LeaseHolder ?? "none"),
            ShownProperty.Highlighted("redis.region.epoch", "Epoch", status.Epoch),
            ShownProperty.Highlighted(RegionProperty.Standby, "Standby", standby is null ? "none"
                : standby.IsInSync ? $"{standby.Name}, in sync" : $"{standby.Name}, not in sync"),
            ShownProperty.Highlighted("redis.region.lag", "Lag", standby?.LagBytes is { } bytes
                ? string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes, heard {standby.SilentFor?.TotalSeconds ?? 0:0} s ago") : "unknown"),
            ShownProperty.Highlighted("redis.region.witnesses", "Witnesses",
                string.Create(CultureInfo.InvariantCulture, $"{status.WitnessesReady} of {status.Witnesses}")),
            ShownProperty.Flag(RegionProperty.LinkCut, "Link cut", regions.Link.IsCut),
            ShownProperty.Flag(RegionProperty.CanSwitch, "Can be switched", status.LeaseHolder is not null && standby is { IsInSync: true }),
            ShownProperty.Flag(RegionProperty.CanFailBack, "Can be failed back", CanFailBack(status)),
        ], status.LeaseHolder is null ? "No active region" : null);
    }

    private Task PublishAsync(ResourceNotificationService notifications, ResourcePropertySnapshot[] properties, string? outage)
    {
        _wasUsable |= outage is null;
        var state = outage is null ? new ResourceStateSnapshot(KnownResourceStates.Running, null)
            : _wasUsable ? new ResourceStateSnapshot(outage, KnownResourceStateStyles.Error)
            : new ResourceStateSnapshot(KnownResourceStates.Starting, null);
        return notifications.PublishUpdateAsync(regions, snapshot => snapshot with
        {
            Properties = [.. snapshot.Properties.Where(p => properties.All(n => n.Name != p.Name)), .. properties],
            State = state,
        });
    }
}

/// <summary>Properties of the regions from which commands are enabled.</summary>
internal static class RegionProperty
{
    public const string Active = "redis.region.active";
    public const string Holder = "redis.region.holder";
    public const string Standby = "redis.region.standby";
    public const string CanSwitch = "redis.region.can_switch";
    public const string CanFailBack = "redis.region.can_fail_back";
    public const string LinkCut = "redis.region.link_cut";
}
