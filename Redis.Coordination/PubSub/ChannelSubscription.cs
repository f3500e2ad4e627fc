using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>A subscription to a channel. Dispose it to end it: the handler is cancelled, and what waits for it is dropped.</summary>
public abstract class ChannelSubscription : IAsyncDisposable
{
    private protected ChannelSubscription()
    {
    }

    /// <summary>Ends the subscription; returns when the handler has, or after 5 s.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <inheritdoc/>
/// <param name="connect">The connection that hears of the channel, at this moment.</param>
/// <param name="whenMoved">Ends when that may be another one; null where it stays the same.</param>
/// <param name="topic">The channel.</param>
/// <param name="handler">Gets the messages.</param>
/// <param name="options">How many may wait.</param>
/// <param name="logger">Hears of what fails.</param>
internal sealed class ChannelSubscription<T>(
    Func<IConnectionMultiplexer> connect, Func<Task>? whenMoved, ChannelTopic<T> topic, IChannelHandler<T> handler,
    ChannelSubscriptionOptions options, ILogger logger)
    : ChannelSubscription
    where T : class
{
    private static readonly TimeSpan s_endBound = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(50);

    private readonly ChannelBuffer _buffer = new(options.Capacity);
    private readonly CancellationTokenSource _ending = new();
    private IConnectionMultiplexer? _connection;
    private ChannelMessageQueue? _queue;
    private Task _handling = Task.CompletedTask;
    private Task _following = Task.CompletedTask;

    /// <summary>Until the server has confirmed it.</summary>
    public async Task BeginAsync()
    {
        while (_queue is null)
        {
            try
            {
                await SubscribeAsync(connect(), isBack: false);
            }
            catch (Exception e) when (whenMoved is not null && RedisFailure.IsElsewhere(e) && !_ending.IsCancellationRequested)
            {
                // The slot has just moved.
                await LeaveAsync(_connection, null);
                await Task.Delay(s_again);
            }
        }
        if (_ending.IsCancellationRequested)
        {
            // Given up meanwhile.
            await LeaveAsync(_connection, _queue);
            return;
        }
        _handling = Task.Run(HandleAllAsync);
        _following = whenMoved is null ? Task.CompletedTask : Task.Run(() => FollowAsync(whenMoved));
    }

    public override async ValueTask DisposeAsync()
    {
        if (_ending.IsCancellationRequested)
        {
            return;
        }
        await _ending.CancelAsync();
        await Task.WhenAny(_following, Task.Delay(s_endBound));
        await LeaveAsync(_connection, _queue);
        _buffer.End();
        await Task.WhenAny(_handling, Task.Delay(s_endBound));
    }

    private async Task SubscribeAsync(IConnectionMultiplexer connection, bool isBack)
    {
        connection.ConnectionRestored += OnRestored;
        connection.ConfigurationChanged += OnChanged;
        _connection = connection;
        // A queue keeps the order of what comes. It is emptied at once: what is bounded is our own buffer.
        var queue = await connection.GetSubscriber().SubscribeAsync(topic.Channel, CommandFlags.DemandMaster);
        if (isBack)
        {
            _buffer.AddInterruption();
        }
        queue.OnMessage(message =>
        {
            if (!_buffer.Add(message.Message))
            {
                ChannelMetrics.Received.Add(1, ChannelMetrics.Outcome(topic.Name, "dropped"));
            }
        });
        _queue = queue;
    }

    /// <summary>Goes where the slot of the channel goes. What was published in between is lost, and the handler told so.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "It is tried again whatever the reason.")]
    private async Task FollowAsync(Func<Task> moved)
    {
        while (!_ending.IsCancellationRequested)
        {
            var again = moved();
            try
            {
                if (connect() is var connection && connection != _connection)
                {
                    var (former, left) = (_connection, _queue);
                    _queue = null;
                    await LeaveAsync(former, left);
                    await SubscribeAsync(connection, isBack: true);
                }
            }
            catch (Exception e)
            {
                logger.LogDebug(e, "Channel {Channel} has moved, and is not subscribed to yet.", topic.Name);
                await LeaveAsync(_connection, null);
                _connection = null;
                again = Task.Delay(s_again);
            }
            await Task.WhenAny(again, Task.Delay(Timeout.Infinite, _ending.Token));
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The next message follows whatever becomes of one.")]
    private async Task HandleAllAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                var (payload, gap) = await _buffer.TakeAsync(_ending.Token);
                if (gap is null)
                {
                    await HandleAsync(payload);
                    continue;
                }
                ChannelMetrics.Gaps.Add(1, ChannelMetrics.Reason(topic.Name, gap.Reason));
                if (gap.Reason == ChannelGapReason.Overflow)
                {
                    logger.LogWarning("{Dropped} messages of channel {Channel} were dropped: the handler is too slow.", gap.Dropped,
                        topic.Name);
                }
                await handler.HandleGapAsync(gap, _ending.Token);
            }
            catch (OperationCanceledException) when (_ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                logger.LogWarning(e, "The handler of channel {Channel} failed at a gap.", topic.Name);
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "The next message follows whatever becomes of one.")]
    private async Task HandleAsync(RedisValue payload)
    {
        ChannelMessage<T> message;
        ActivityContext publisher;
        try
        {
            (message, publisher) = ChannelEnvelope.Read(topic, payload);
        }
        catch (StreamDecodeException e)
        {
            ChannelMetrics.Received.Add(1, ChannelMetrics.Outcome(topic.Name, "unreadable"));
            logger.LogWarning("A message of channel {Channel} was dropped: {Reason}.", topic.Name, e.Message);
            return;
        }
        using var activity = StartActivity(message, publisher);
        try
        {
            await handler.HandleAsync(message, _ending.Token);
            ChannelMetrics.Received.Add(1, ChannelMetrics.Outcome(topic.Name, "handled"));
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e)
        {
            activity.Fail(e);
            ChannelMetrics.Received.Add(1, ChannelMetrics.Outcome(topic.Name, "failed"));
            logger.LogWarning(e, "The handler of channel {Channel} failed at message {MessageId}, which does not come again.", topic.Name,
                message.MessageId);
        }
    }

    private Activity? StartActivity(ChannelMessage<T> message, ActivityContext publisher)
    {
        if (!CoordinationDiagnostics.ActivitySource.HasListeners())
        {
            return null;
        }
        // As of streams: the publisher's span is the parent, and linked too.
        var activity = CoordinationDiagnostics.ActivitySource.StartActivity(ActivityKind.Consumer, publisher,
            links: publisher == default ? null : [new ActivityLink(publisher)], name: $"process {topic.Name}");
        activity?.SetTag("messaging.system", "redis");
        activity?.SetTag("messaging.operation.type", "process");
        activity?.SetTag("messaging.operation.name", topic.IsSharded ? "SSUBSCRIBE" : "SUBSCRIBE");
        activity?.SetTag("messaging.destination.name", topic.Name);
        activity?.SetTag("messaging.message.id", message.MessageId);
        return activity;
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs e) => _ = NotifyRestoredAsync((IConnectionMultiplexer)sender!);

    private void OnChanged(object? sender, EndPointEventArgs e) => _ = NotifyRestoredAsync((IConnectionMultiplexer)sender!);

    [SuppressMessage("Design", "CA1031", Justification = "An event handler: there is nobody to throw at.")]
    private async Task NotifyRestoredAsync(IConnectionMultiplexer connection)
    {
        try
        {
            // On the connection of the subscription, behind the command that renewed it: whoever reads the state now hears of
            // what changes afterwards.
            await connection.GetSubscriber().PingAsync(CommandFlags.DemandMaster).WaitAsync(_ending.Token);
        }
        catch (Exception e)
        {
            logger.LogDebug(e, "The subscription to {Channel} is not back yet.", topic.Name);
        }
        if (!_ending.IsCancellationRequested)
        {
            _buffer.AddInterruption();
        }
    }

    private async Task LeaveAsync(IConnectionMultiplexer? connection, ChannelMessageQueue? queue)
    {
        if (connection is not null)
        {
            connection.ConnectionRestored -= OnRestored;
            connection.ConfigurationChanged -= OnChanged;
        }
        try
        {
            await (queue?.UnsubscribeAsync() ?? Task.CompletedTask).WaitAsync(s_endBound);
        }
        catch (Exception e) when (e is ObjectDisposedException or TimeoutException || e.IsOfRedis())
        {
            logger.LogDebug(e, "The subscription to {Channel} ends with its connection.", topic.Name);
        }
    }
}
