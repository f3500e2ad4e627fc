using AspireRedis.Coordination.Streams.Consuming;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// One instance of a consumer group. It reads with <c>XREADGROUP ... BLOCK</c> on a connection of its own, hands each
/// event to the handler, acknowledges what was handled, tries again what failed, and takes over what a dead instance left
/// pending. Redis may go away and come back, also as another node: the instance goes on.
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
    // What is left to do after the handlers: last acknowledgements, and giving back what was not begun.
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(2);

    private readonly GroupContext _group;
    private readonly EntryProcessor<T> _processor;

    /// <summary>Creates the instance; nothing is connected before it runs.</summary>
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

    /// <summary>Consumes until <paramref name="stopping"/>, then lets running handlers finish within the drain timeout.</summary>
    /// <returns>A task that ends when everything has stopped; it does not fail for a Redis that is away.</returns>
    public async Task RunAsync(CancellationToken stopping)
    {
        var hands = new Hands(_group.Clock);
        var acknowledger = new Acknowledger(_group, hands);
        var retries = new RetrySchedule(_group, hands);
        var dispatcher = new Dispatcher(_group, hands, _processor, acknowledger, retries);
        var reclaimer = new Reclaimer(_group, hands, dispatcher);
        var reader = new GroupReader(_group, hands, dispatcher, reclaimer);
        var keeper = new Keeper(_group, hands);
        var groups = new StreamGroups(_group.Deployment);

        using var closing = new CancellationTokenSource();
        // Not disposed of: a handler that ignores it may still hold it.
        var drained = new CancellationTokenSource();
        var working = dispatcher.RunAsync(stopping, drained.Token);
        var acknowledging = acknowledger.RunAsync(closing.Token);
        var retrying = retries.RunAsync(dispatcher, stopping);
        // Apart from each other: claimed entries wait for room among the handlers, and refreshing must not wait with
        // them. It outlives the reader: entries in handlers are to be refreshed while they drain.
        var keeping = RepeatAsync(() => keeper.RefreshAsync(closing.Token), closing.Token);
        var sampling = RepeatAsync(() => SampleAsync(groups, stopping), stopping);
        var reclaiming = RepeatAsync(() => reclaimer.ReclaimAsync(stopping), stopping);
        try
        {
            await reader.RunAsync(stopping);
        }
        finally
        {
            dispatcher.Complete();
            drained.CancelAfter(_group.Options.DrainTimeout);
            await WorkersAsync(working);
            acknowledger.Complete();
            closing.CancelAfter(s_closing);
            await acknowledging;
            await GiveBackAsync(keeper, closing.Token);
            await closing.CancelAsync();
            await Task.WhenAll(keeping, sampling, reclaiming, retrying);
            StreamMetrics.Forget(_group.Stream, _group.Options.Group);
        }
    }

    private async Task WorkersAsync(Task working)
    {
        try
        {
            await working.WaitAsync(_group.Options.DrainTimeout + s_closing, _group.Clock);
        }
        catch (TimeoutException)
        {
            _group.Logger.LogError("Handlers of group {Group} of {Stream} did not end when they were cancelled and are left behind; their events come again.",
                _group.Options.Group, _group.Stream);
        }
    }

    private async Task GiveBackAsync(Keeper keeper, CancellationToken cancellationToken)
    {
        try
        {
            await keeper.GiveBackAsync(cancellationToken);
        }
        catch (Exception e)
        {
            _group.Logger.LogDebug(e, "Entries of {Stream} could not be given back; others take them when they have been idle long enough.", _group.Stream);
        }
    }

    private async Task SampleAsync(StreamGroups groups, CancellationToken stopping)
    {
        if (await groups.DescribeAsync(_group.Stream, _group.Options.Group, stopping) is { } status)
        {
            StreamMetrics.Report(_group.Stream, _group.Options.Group, status);
        }
    }

    /// <summary>Does <paramref name="work"/> at each third of MinIdle, whether it fails or not.</summary>
    private async Task RepeatAsync(Func<Task> work, CancellationToken until)
    {
        // A third: a round may fail before somebody takes an entry from a living handler.
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
                    _group.Logger.LogDebug(e, "Maintenance of group {Group} of {Stream} failed and is tried again.", _group.Options.Group, _group.Stream);
                }
            }
        }
        catch (Exception e) when (until.IsCancellationRequested)
        {
            // The end. What was claimed and not handed on stays pending for another instance.
            _group.Logger.LogDebug(e, "Maintenance of group {Group} of {Stream} has ended.", _group.Options.Group, _group.Stream);
        }
    }
}
