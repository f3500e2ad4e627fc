using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Threading.Channels;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// One instance of a consumer group. It reads with <c>XREADGROUP ... BLOCK</c> on a connection of its own, hands each
/// event to the handler, acknowledges what was handled, and takes over what a dead instance left pending. Redis may go
/// away and come back, also as another node: the instance goes on.
/// </summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <remarks>
/// Delivery is at least once. Events of one stream may be handled concurrently and out of order. Run it once
/// (<see cref="RunAsync"/>); the host does so for groups added with <c>AddConsumerGroup</c>.
/// </remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose wait handle nobody asks for has nothing to dispose of.")]
public sealed class ConsumerGroup<T>
    where T : class
{
    private const int ReclaimBatch = 100;

    private static readonly RedisScript s_reclaim = RedisScript.Load(typeof(ConsumerGroup<>), "reclaim");
    private static readonly RedisScript s_resume = RedisScript.Load(typeof(ConsumerGroup<>), "resume");
    private static readonly RedisScript s_refresh = RedisScript.Load(typeof(ConsumerGroup<>), "refresh");
    private static readonly RedisScript s_deadLetter = RedisScript.Load(typeof(ConsumerGroup<>), "dead-letter");

    private readonly RedisDeployment _deployment;
    private readonly StreamTopic<T> _topic;
    private readonly ConsumerGroupOptions _options;
    private readonly IStreamHandler<T> _handler;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Channel<StreamEntryReply> _work;
    private readonly ConcurrentDictionary<string, bool> _inFlight = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _claiming = new(1);
    private readonly TagList _tags;

    /// <summary>Creates the instance; nothing is connected before it runs.</summary>
    /// <exception cref="ArgumentException">An option is missing or out of range.</exception>
    public ConsumerGroup(
        RedisDeployment deployment, StreamTopic<T> topic, ConsumerGroupOptions options, IStreamHandler<T> handler,
        TimeProvider clock, ILogger<ConsumerGroup<T>> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        _deployment = deployment;
        _topic = topic;
        _options = options;
        _handler = handler;
        _clock = clock;
        _logger = logger;
        _tags = StreamMetrics.Tags(topic.Key, options.Group);
        // Backpressure: no more is read than one batch beyond what the handlers are at.
        _work = Channel.CreateBounded<StreamEntryReply>(options.BatchSize);
    }

    /// <summary>Consumes until <paramref name="stopping"/>, then lets running handlers finish within the drain timeout.</summary>
    /// <returns>A task that ends when everything has stopped; it does not fail for a Redis that is away.</returns>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var drained = new CancellationTokenSource();
        var workers = Enumerable.Range(0, _options.MaxConcurrency).Select(_ => WorkAsync(stopping, drained.Token)).ToArray();
        // Apart from each other: claimed entries wait for room among the handlers, and refreshing must not wait with
        // them. It outlives the reader: entries in handlers are to be refreshed while they drain.
        var refreshing = RepeatAsync(RefreshAsync, drained.Token);
        var cursor = "0-0";
        var reclaiming = RepeatAsync(async () => cursor = await ReclaimAsync(cursor, stopping), stopping);
        try
        {
            await ReadAsync(stopping);
        }
        finally
        {
            _work.Writer.TryComplete();
            drained.CancelAfter(_options.DrainTimeout);
            await Task.WhenAll(workers);
            await drained.CancelAsync();
            await Task.WhenAll(refreshing, reclaiming);
            StreamMetrics.Forget(_topic.Key, _options.Group);
        }
    }

    private async Task ReadAsync(CancellationToken stopping)
    {
        var pause = TimeSpan.Zero;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await CreateGroupAsync(stopping);
                await using var connection = await _deployment.OpenDedicatedAsync($"{_topic.Key}-{_options.Group}", _options.Block, stopping);
                var clientId = (long)await connection.Database.ExecuteAsync("CLIENT", "ID").WaitAsync(stopping);
                // What this consumer read and did not finish: a reply that was lost with the last connection, or an
                // earlier life under the same name.
                await ResumeAsync(stopping);
                pause = TimeSpan.Zero;
                while (!stopping.IsCancellationRequested)
                {
                    await HandOnAsync(Hold(await ReadGroupAsync(connection, clientId, stopping)), stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.LogWarning("Consumer group {Group} of {Stream} lost its connection and opens another one: {Reason}",
                    _options.Group, _topic.Key, e.Message);
                pause = pause == TimeSpan.Zero ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, TimeSpan.TicksPerSecond));
                await Task.Delay(pause, _clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task CreateGroupAsync(CancellationToken cancellationToken)
    {
        try
        {
            // From the start of the stream: a group that is created after the first events must not miss them.
            await _deployment.Database.StreamCreateConsumerGroupAsync(_topic.Key, _options.Group, "0", createStream: true).WaitAsync(cancellationToken);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // It exists.
        }
    }

    /// <summary>Takes up what is pending for this consumer and not in its hands.</summary>
    private async Task ResumeAsync(CancellationToken stopping)
    {
        for (var last = "0-0"; last.Length > 0;)
        {
            last = await ClaimAsync(() => s_resume.EvaluateAsync(_deployment.Database, [_topic.Key],
                [_options.Group, _options.Consumer, last, ReclaimBatch, .. _inFlight.Keys.Select(id => (RedisValue)id)]), stopping);
        }
    }

    private async Task<StreamEntryReply[]> ReadGroupAsync(DedicatedConnection connection, long clientId, CancellationToken stopping)
    {
        var reading = connection.Database.ExecuteAsync("XREADGROUP", "GROUP", _options.Group, _options.Consumer, "COUNT", _options.BatchSize,
            "BLOCK", (long)_options.Block.TotalMilliseconds, "STREAMS", (RedisKey)_topic.Key, ">");
        try
        {
            await reading.WaitAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The server ends a blocked read on request: were it abandoned, the server could still serve it, and the
            // entries would be pending although nobody has them. It may not have begun yet, so once may not be enough.
            while (!reading.IsCompleted)
            {
                await UnblockAsync(clientId);
                await Task.WhenAny(reading, Task.Delay(20, CancellationToken.None));
            }
        }
        var reply = await reading;
        // [[stream, entries]], or nil when the time was over.
        return reply.IsNull ? [] : StreamEntryReply.ParseAll(reply[0][1]);
    }

    /// <summary>Hands on what <c>resume.lua</c> or <c>reclaim.lua</c> claims; returns where to go on.</summary>
    private async Task<string> ClaimAsync(Func<Task<RedisResult>> script, CancellationToken stopping)
    {
        string next;
        StreamEntryReply[] entries;
        // One after the other: to the one, what the other has just claimed would be pending and in nobody's hands.
        await _claiming.WaitAsync(stopping);
        try
        {
            var reply = await script();
            next = (string)reply[0]!;
            var deleted = (string[])reply[2]!;
            if (deleted.Length > 0)
            {
                _logger.LogError("{Count} entries of {Stream} were trimmed while group {Group} had them pending; their events are lost to it: {EntryIds}",
                    deleted.Length, _topic.Key, _options.Group, string.Join(' ', deleted));
            }
            entries = StreamEntryReply.ParseAll(reply[1], (long[])reply[3]!);
            StreamMetrics.Reclaimed.Add(entries.Length, _tags);
            entries = Hold(entries);
        }
        finally
        {
            _claiming.Release();
        }
        await HandOnAsync(entries, stopping);
        return next;
    }

    /// <summary>
    /// Takes entries into our hands, apart from those that are; all at once, before any waits for room: what waits is
    /// refreshed too, or somebody would take it.
    /// </summary>
    private StreamEntryReply[] Hold(StreamEntryReply[] entries) => Array.FindAll(entries, e => _inFlight.TryAdd(e.Id, true));

    private async Task HandOnAsync(StreamEntryReply[] held, CancellationToken stopping)
    {
        var handedOn = 0;
        try
        {
            for (; handedOn < held.Length; handedOn++)
            {
                await _work.Writer.WriteAsync(held[handedOn], stopping);
            }
        }
        finally
        {
            foreach (var entry in held.AsSpan(handedOn))
            {
                _inFlight.TryRemove(entry.Id, out _);
            }
        }
    }

    private async Task WorkAsync(CancellationToken stopping, CancellationToken drained)
    {
        await foreach (var entry in _work.Reader.ReadAllAsync(CancellationToken.None))
        {
            // After the call to stop only what has begun is finished; the rest stays pending for another instance.
            try
            {
                if (!stopping.IsCancellationRequested)
                {
                    await HandleAsync(entry, drained);
                }
            }
            catch (Exception e)
            {
                // One entry must not cost a worker.
                _logger.LogError(e, "Entry {EntryId} of {Stream} could not be handled nor reported as such.", entry.Id, _topic.Key);
            }
            finally
            {
                _inFlight.TryRemove(entry.Id, out _);
            }
        }
    }

    private async Task HandleAsync(StreamEntryReply entry, CancellationToken cancellationToken)
    {
        var fields = entry.Fields;
        using var activity = StartActivity(entry, fields);
        var outcome = "failed";
        try
        {
            if (entry.DeliveryCount > _options.MaxDeliveries)
            {
                outcome = "dead_lettered";
                await DeadLetterAsync(entry, $"not handled in {_options.MaxDeliveries} deliveries");
                return;
            }
            var message = Decode(entry, fields);
            if (entry.DeliveryCount == 1)
            {
                StreamMetrics.Delivery.Record(Math.Max(0, (_clock.GetUtcNow() - message.OccurredAt).TotalSeconds), _tags);
            }
            if (await _handler.HandleAsync(message, cancellationToken) == HandlerResult.Handled)
            {
                await _deployment.Database.StreamAcknowledgeAsync(_topic.Key, _options.Group, entry.Id);
            }
            outcome = "handled";
        }
        catch (StreamDecodeException e)
        {
            outcome = "dead_lettered";
            activity.Fail(e);
            await DeadLetterAsync(entry, e.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            outcome = "cancelled";
        }
        catch (Exception e)
        {
            // It stays pending, and comes again when it has been idle for MinIdle.
            activity.Fail(e);
            _logger.LogWarning(e, "Group {Group} failed on entry {EntryId} of {Stream}, delivery {Delivery}.",
                _options.Group, entry.Id, _topic.Key, entry.DeliveryCount);
        }
        finally
        {
            activity?.SetTag("redis.stream.outcome", outcome);
            var tags = _tags;
            tags.Add("redis.stream.outcome", outcome);
            StreamMetrics.Handled.Add(1, tags);
        }
    }

    private Activity? StartActivity(StreamEntryReply entry, Dictionary<string, RedisValue> fields)
    {
        fields.TryGetValue(StreamFields.TraceParent, out var parent);
        fields.TryGetValue(StreamFields.TraceState, out var state);
        ActivityContext.TryParse(parent, state, isRemote: true, out var context);
        var activity = CoordinationDiagnostics.ActivitySource.StartActivity($"process {_topic.Key}", ActivityKind.Consumer, context);
        activity?.SetTag("messaging.system", "redis");
        activity?.SetTag("messaging.operation.type", "process");
        activity?.SetTag("messaging.operation.name", "XREADGROUP");
        activity?.SetTag("messaging.destination.name", _topic.Key);
        activity?.SetTag("messaging.consumer.group.name", _options.Group);
        activity?.SetTag("messaging.client.id", _options.Consumer);
        activity?.SetTag("redis.stream.entry_id", entry.Id);
        activity?.SetTag("redis.stream.delivery_count", entry.DeliveryCount);
        if (fields.TryGetValue(StreamFields.EventId, out var id))
        {
            activity?.SetTag("messaging.message.id", (string?)id);
        }
        return activity;
    }

    private StreamMessage<T> Decode(StreamEntryReply entry, Dictionary<string, RedisValue> fields)
    {
        var value = _topic.Decode(fields);
        // An event that was added by hand has neither; its entry id says as much.
        var eventId = fields.TryGetValue(StreamFields.EventId, out var id) ? (string)id! : $"{_topic.Key}:{entry.Id}";
        if (!fields.TryGetValue(StreamFields.OccurredAt, out var at)
            || !DateTimeOffset.TryParse((string?)at, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var occurredAt))
        {
            occurredAt = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(entry.Id.AsSpan(0, entry.Id.IndexOf('-', StringComparison.Ordinal)), CultureInfo.InvariantCulture));
        }
        return new StreamMessage<T>(_topic, _options.Group, entry.Id, eventId, occurredAt, entry.DeliveryCount, value);
    }

    private async Task DeadLetterAsync(StreamEntryReply entry, string reason)
    {
        try
        {
            var moved = (long)await s_deadLetter.EvaluateAsync(
                _deployment.Database, [_topic.Key, _topic.DeadLetterKey], _options.Group, entry.Id, reason, entry.DeliveryCount);
            if (moved == 0)
            {
                // Acknowledged or trimmed meanwhile.
                return;
            }
            StreamMetrics.DeadLettered.Add(1, _tags);
            _logger.LogError("Entry {EntryId} of {Stream} went to {DeadLetters}: {Reason}.", entry.Id, _topic.Key, _topic.DeadLetterKey, reason);
        }
        catch (Exception e)
        {
            // Still pending, so it comes again.
            _logger.LogWarning(e, "Entry {EntryId} of {Stream} could not go to the dead letters yet.", entry.Id, _topic.Key);
        }
    }

    /// <summary>Does <paramref name="work"/> at each third of MinIdle, whether it fails or not.</summary>
    private async Task RepeatAsync(Func<Task> work, CancellationToken until)
    {
        // A third: two rounds may fail before somebody takes an entry from a living handler.
        using var timer = new PeriodicTimer(_options.MinIdle / 3, _clock);
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
                    _logger.LogDebug(e, "Maintenance of group {Group} of {Stream} failed and is tried again.", _options.Group, _topic.Key);
                }
            }
        }
        catch (Exception e) when (until.IsCancellationRequested)
        {
            // The end. What was claimed and not handed on stays pending for another instance.
            _logger.LogDebug(e, "Maintenance of group {Group} of {Stream} has ended.", _options.Group, _topic.Key);
        }
    }

    /// <summary>Keeps what this instance has in its hands from being taken, and samples lag and pending.</summary>
    private async Task RefreshAsync()
    {
        foreach (var chunk in _inFlight.Keys.Chunk(500))
        {
            await s_refresh.EvaluateAsync(_deployment.Database, [_topic.Key],
                [_options.Group, _options.Consumer, .. chunk.Select(id => (RedisValue)id)]);
        }
        foreach (var group in await _deployment.Database.StreamGroupInfoAsync(_topic.Key))
        {
            if (group.Name == _options.Group)
            {
                StreamMetrics.Report(_topic.Key, _options.Group, group.Lag, group.PendingMessageCount);
            }
        }
    }

    /// <summary>
    /// Goes through the pending entries list once and returns the cursor to go on from. XAUTOCLAIM examines ten times
    /// its COUNT of entries: starting at 0-0 each time would never get behind a busy head.
    /// </summary>
    private async Task<string> ReclaimAsync(string cursor, CancellationToken stopping)
    {
        do
        {
            cursor = await ClaimAsync(() => s_reclaim.EvaluateAsync(_deployment.Database, [_topic.Key],
                _options.Group, _options.Consumer, (long)_options.MinIdle.TotalMilliseconds, cursor, ReclaimBatch), stopping);
        }
        while (cursor != "0-0" && !stopping.IsCancellationRequested);
        return cursor;
    }

    private async Task UnblockAsync(long clientId)
    {
        try
        {
            await _deployment.Database.ExecuteAsync("CLIENT", "UNBLOCK", clientId);
        }
        catch (Exception e)
        {
            // The read ends by itself after the block time.
            _logger.LogDebug(e, "The blocked read of group {Group} of {Stream} could not be ended early.", _options.Group, _topic.Key);
        }
    }
}
