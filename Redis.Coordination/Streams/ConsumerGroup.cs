using AspireRedis.Coordination.Streams.Consuming;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// One instance of a consumer group. It reads with <c>XREADGROUP ... BLOCK</c> on a connection of its own, passes each
/// event to the handler, acknowledges what was handled, retries what failed, and claims what a dead instance left
/// pending. It survives the loss of Redis and a failover: it reconnects and continues.
/// </summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <remarks>
/// Delivery is at least once. Events of one stream may be handled concurrently and out of order, unless
/// <see cref="ConsumerGroupOptions{T}.OrderBy"/> is set. Run it once (<see cref="RunAsync"/>); the host does so for groups
/// added with <c>AddConsumerGroup</c>.
/// </remarks>
public sealed class ConsumerGroup<T>
    where T : class
{
    // For the work after the handlers have ended: the last acknowledgements, and the release of entries that were not started.
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(2);

    private readonly GroupContext _group;
    private readonly EntryProcessor<T> _processor;

    /// <summary>Creates the instance. It does not connect before it runs.</summary>
    /// <exception cref="ArgumentException">An option is missing or out of range.</exception>
    public ConsumerGroup(
        RedisDeployment deployment, StreamTopic<T> topic, ConsumerGroupOptions<T> options, IStreamHandler<T> handler,
        TimeProvider clock, ILogger<ConsumerGroup<T>> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        _group = new GroupContext(deployment, topic.Key, topic.DeadLetterKey, options, clock, logger);
        _processor = new EntryProcessor<T>(_group, topic, handler, options.OrderBy);
    }

    /// <summary>
    /// Consumes until <paramref name="stopping"/> is cancelled, then lets running handlers finish within the drain
    /// timeout.
    /// </summary>
    /// <returns>A task that completes when everything has stopped. An unavailable Redis does not make it fail.</returns>
    public async Task RunAsync(CancellationToken stopping)
    {
        var inFlight = new InFlightEntries(_group.Clock);
        var acknowledger = new Acknowledger(_group, inFlight);
        var retries = new RetrySchedule(_group, inFlight);
        var dispatcher = new Dispatcher(_group, inFlight, _processor, acknowledger, retries);
        var reclaimer = new Reclaimer(_group, inFlight, dispatcher);
        var reader = new GroupReader(_group, inFlight, dispatcher, reclaimer);
        var refresher = new PendingRefresher(_group, inFlight);
        var groups = new StreamGroups(_group.Deployment);
        var presence = new ConsumerPresence(_group);

        using var closing = new CancellationTokenSource();
        // Not disposed: a handler that ignores it may still hold its token.
        var drained = new CancellationTokenSource();
        var handling = dispatcher.RunAsync(stopping, drained.Token);
        var acknowledging = acknowledger.RunAsync(closing.Token);
        var retrying = retries.RunAsync(dispatcher, stopping);
        // In loops of their own: reclaiming waits until handlers are free, and refreshing must not wait with it.
        // Refreshing outlives the reader: entries must stay with their handlers while these drain.
        var refreshing = RepeatAsync(() => refresher.RefreshAsync(closing.Token), closing.Token);
        var sampling = RepeatAsync(() => SampleAsync(groups, stopping), stopping);
        var registering = RepeatAsync(() => presence.RegisterAsync(closing.Token), closing.Token);
        var reclaiming = RepeatAsync(() => reclaimer.ReclaimAsync(stopping), stopping);
        try
        {
            await reader.RunAsync(stopping);
        }
        finally
        {
            dispatcher.Complete();
            drained.CancelAfter(_group.Options.DrainTimeout);
            await AwaitHandlersAsync(handling);
            acknowledger.Complete();
            closing.CancelAfter(s_closing);
            await acknowledging;
            await ReleaseUnstartedAsync(refresher, presence, closing.Token);
            await closing.CancelAsync();
            await Task.WhenAll(refreshing, registering, sampling, reclaiming, retrying);
            await _group.CloseAsync();
            StreamMetrics.Forget(_group.Stream, _group.Options.Group);
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

    private async Task ReleaseUnstartedAsync(PendingRefresher refresher, ConsumerPresence presence, CancellationToken cancellationToken)
    {
        try
        {
            await refresher.ReleaseUnstartedAsync(cancellationToken);
            await presence.RemoveAsync(cancellationToken);
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
            StreamMetrics.Report(_group.Stream, _group.Options.Group, status);
        }
    }

    /// <summary>Runs <paramref name="work"/> every third of MinIdle; a failure does not end the loop.</summary>
    private async Task RepeatAsync(Func<Task> work, CancellationToken until)
    {
        // A third: one round may fail before another instance may claim an entry from a handler that is still running.
        using var timer = new PeriodicTimer(_group.Options.MinIdle / 3, _group.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(until))
            {
                try
                {
                    await work();
                }
                catch (Exception e) when (!until.IsCancellationRequested)
                {
                    _group.Logger.LogDebug(e,
                        "Maintenance of group {Group} of {Stream} failed and will be retried.", _group.Options.Group, _group.Stream);
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
