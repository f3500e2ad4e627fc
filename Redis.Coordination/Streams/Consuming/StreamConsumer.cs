using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Consumes one stream for a group, beside other instances or, with a fence, alone.</summary>
internal sealed class StreamConsumer(GroupContext group, IEntryProcessor processor, PartitionRecords records)
{
    // For the work after the handlers have ended: the last acknowledgements, and the release of entries that were not started.
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(2);

    private readonly GroupContext _group = group;

    /// <summary>
    /// Consumes until <paramref name="stopping"/> is cancelled, then lets running handlers finish within the drain timeout; when the
    /// partition is lost, not at all.
    /// </summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        StreamMetrics.Begin(_group.Tags);
        // The reader may end by itself: the partition is lost, or the topic has other partitions.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        stopping = ending.Token;
        var inFlight = new InFlightEntries(_group.Clock);
        var acknowledger = new Acknowledger(_group, inFlight);
        var retries = new RetrySchedule(_group, inFlight);
        var dispatcher = new Dispatcher(_group, inFlight, processor, acknowledger, retries);
        var reclaimer = new Reclaimer(_group, inFlight, dispatcher);
        var reader = new GroupReader(_group, inFlight, dispatcher, reclaimer, records);
        var refresher = new PendingRefresher(_group, inFlight);
        var groups = new StreamGroups(_group.Deployment);
        // Names matter where instances share a stream.
        var presence = _group.Fence is null ? new ConsumerPresence(_group) : null;

        using var closing = new CancellationTokenSource();
        using var leaving = new CancellationTokenSource();
        // Not disposed: a handler that ignores it may still hold its token.
        var drained = new CancellationTokenSource();
        using var losing = _group.Fence?.Lost.Register(drained.Cancel);
        var handling = dispatcher.RunAsync(stopping, drained.Token);
        var acknowledging = acknowledger.RunAsync(closing.Token);
        var retrying = retries.RunAsync(dispatcher, stopping);
        // In loops of their own: reclaiming waits until handlers are free, and refreshing must not wait with it.
        // Refreshing outlives the reader: entries must stay with their handlers while these drain.
        var refreshing = RepeatAsync(() => refresher.RefreshAsync(closing.Token), closing.Token);
        var sampling = RepeatAsync(() => SampleAsync(groups, stopping), stopping, alsoInStandby: true);
        var registering = presence is null ? Task.CompletedTask
            : RepeatAsync(() => presence.RegisterAsync(leaving.Token), leaving.Token);
        var reclaiming = RepeatAsync(() => reclaimer.ReclaimAsync(stopping), stopping);
        try
        {
            await reader.RunAsync(stopping);
        }
        finally
        {
            await ending.CancelAsync();
            dispatcher.Complete();
            drained.CancelAfter(_group.Options.DrainTimeout);
            await AwaitHandlersAsync(handling);
            acknowledger.Complete();
            closing.CancelAfter(s_closing);
            await acknowledging;
            // Before it takes itself off the list: or it could be put there again, and its successor would find a living namesake.
            await leaving.CancelAsync();
            await registering;
            await ReleaseUnstartedAsync(refresher, presence, closing.Token);
            await closing.CancelAsync();
            await Task.WhenAll(refreshing, sampling, reclaiming, retrying);
            await _group.CloseAsync();
            StreamMetrics.Forget(_group.Part, _group.Options.Group);
        }
    }

    private async Task AwaitHandlersAsync(Task handling)
    {
        try
        {
            await handling.WaitAsync(_group.Options.DrainTimeout + s_closing, _group.Clock);
        }
        catch (TimeoutException)
        {
            _group.Logger.LogError(
                "Handlers of group {Group} of {Stream} did not end when they were cancelled and are abandoned; "
                + "their events will be redelivered.",
                _group.Options.Group, _group.Stream);
        }
    }

    private async Task ReleaseUnstartedAsync(PendingRefresher refresher, ConsumerPresence? presence, CancellationToken cancellationToken)
    {
        try
        {
            await refresher.ReleaseUnstartedAsync(cancellationToken);
            if (presence is not null)
            {
                await presence.RemoveAsync(cancellationToken);
            }
        }
        catch (Exception e)
        {
            _group.Logger.LogDebug(e,
                "Entries of {Stream} that were not started could not be released; others claim them after the minimum idle time.",
                _group.Stream);
        }
    }

    private async Task SampleAsync(StreamGroups groups, CancellationToken stopping)
    {
        if (await groups.DescribeAsync(_group.Stream, _group.Options.Group, stopping) is { } status)
        {
            StreamMetrics.Report(_group.Part, _group.Options.Group, status);
        }
    }

    /// <summary>
    /// Runs <paramref name="work"/> every third of MinIdle; a failure does not end the loop. What writes waits while the region is a
    /// standby.
    /// </summary>
    private async Task RepeatAsync(Func<Task> work, CancellationToken until, bool alsoInStandby = false)
    {
        // A third: one round may fail before another instance may claim an entry from a handler that is still running.
        using var timer = new PeriodicTimer(_group.Options.MinIdle / 3, _group.Clock);
        var refusals = new Refusals();
        try
        {
            while (await timer.WaitForNextTickAsync(until))
            {
                try
                {
                    if (!alsoInStandby)
                    {
                        await _group.Shard.WaitUntilActiveAsync(until);
                    }
                    await work();
                    refusals.Succeeded();
                }
                catch (Exception e) when (!until.IsCancellationRequested)
                {
                    _group.Logger.Log(refusals.LevelOf(e), e, "Maintenance of group {Group} of {Stream} failed and will be retried.",
                        _group.Options.Group, _group.Stream);
                }
            }
        }
        catch (Exception e) when (until.IsCancellationRequested)
        {
            // Stopping. What was claimed and not dispatched stays pending for another instance.
            _group.Logger.LogDebug(e, "Maintenance of group {Group} of {Stream} has stopped.", _group.Options.Group, _group.Stream);
        }
    }
}
