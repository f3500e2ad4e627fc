using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Decodes entries, calls the handler, and moves what cannot be handled to the dead letters.</summary>
internal sealed class EntryProcessor<T> : IEntryProcessor
    where T : class
{
    private static readonly RedisScript s_deadLetter = RedisScript.Load(typeof(EntryProcessor<>), "dead-letter", repeatable: true);

    private static readonly RedisScript s_release = RedisScript.Load(typeof(EntryProcessor<>), "release-unstarted");

    private readonly GroupContext _group;
    private readonly StreamTopic<T> _topic;
    private readonly IStreamHandler<T> _handler;
    private readonly Func<T, string?>? _orderBy;
    private readonly TagList[] _outcomeTags;
    private readonly NewerVersions _newerVersions = new();

    public EntryProcessor(GroupContext group, StreamTopic<T> topic, IStreamHandler<T> handler, Func<T, string?>? orderBy)
    {
        _group = group;
        _topic = topic;
        _handler = handler;
        _orderBy = orderBy;
        _outcomeTags = [.. Enum.GetValues<EntryOutcome>().Select(outcome =>
        {
            var tags = group.Tags;
            tags.Add("redis.stream.outcome", Name(outcome));
            return tags;
        })];
    }

    public string? KeyOf(InFlightEntry entry)
    {
        try
        {
            return _orderBy?.Invoke(Decode(entry));
        }
        catch (Exception e)
        {
            // It cannot be decoded, which processing reports again; or the selector failed, and the entry has no order.
            _group.Logger.LogDebug(e, "Entry {EntryId} of {Stream} has no ordering key.", entry.Id, _group.Stream);
            return null;
        }
    }

    public async ValueTask<EntryOutcome> ProcessAsync(InFlightEntry entry, CancellationToken cancellationToken)
    {
        var started = StreamMetrics.Process.Enabled ? _group.Clock.GetTimestamp() : 0;
        using var activity = CoordinationDiagnostics.ActivitySource.HasListeners() ? StartActivity(entry) : null;
        var outcome = await ProcessAsync(entry, activity, cancellationToken);
        activity?.SetTag("redis.stream.outcome", Name(outcome));
        StreamMetrics.Handled.Add(1, _outcomeTags[(int)outcome]);
        if (started != 0)
        {
            StreamMetrics.Process.Record(_group.Clock.GetElapsedTime(started).TotalSeconds, _outcomeTags[(int)outcome]);
        }
        return outcome;
    }

    private async ValueTask<EntryOutcome> ProcessAsync(InFlightEntry entry, Activity? activity, CancellationToken cancellationToken)
    {
        try
        {
            if (StreamFields.Find(entry.Fields, StreamFields.RawOnlyFor) is { IsNull: false } onlyFor && onlyFor != _group.Options.Group)
            {
                return EntryOutcome.Skipped;
            }
            if (entry.DeliveryCount > _group.Options.MaxDeliveries)
            {
                // Without a failure that we saw: its consumers crashed, or moving it to the dead letters failed.
                return await DeadLetterAsync(entry, $"not handled in {_group.Options.MaxDeliveries} deliveries", entry.DeliveryCount - 1);
            }
            var message = Message(entry);
            if (entry.DeliveryCount == 1 && StreamMetrics.Delivery.Enabled)
            {
                StreamMetrics.Delivery.Record(Math.Max(0, (_group.Clock.GetUtcNow() - message.OccurredAt).TotalSeconds), _group.Tags);
            }
            return await _handler.HandleAsync(message, cancellationToken) == HandlerResult.Acknowledged
                ? EntryOutcome.Acknowledged
                : EntryOutcome.Handled;
        }
        catch (StreamDecodeException e) when (e.IsNewerVersion && MayBeKnownSoon(entry, e))
        {
            return await PostponeAsync(entry);
        }
        catch (Exception) when (_group.Fence is { WasRefused: true })
        {
            return EntryOutcome.Cancelled;
        }
        catch (PermanentFailureException e)
        {
            activity.Fail(e);
            return await DeadLetterAsync(entry, e.Message, entry.DeliveryCount);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return EntryOutcome.Cancelled;
        }
        catch (Exception e) when (RegionGuard.IsOfStandby(e))
        {
            // No fault of the entry: it stays pending, and is handled where the region is active, or here when it is again.
            _group.Logger.LogDebug("Entry {EntryId} of {Stream} is left to the active region: {Reason}", entry.Id, _group.Stream,
                e.Message);
            return EntryOutcome.Failed;
        }
        catch (Exception e)
        {
            activity.Fail(e);
            _group.Logger.LogWarning(e, "Group {Group} failed on entry {EntryId} of {Stream}, delivery {Delivery}.",
                _group.Options.Group, entry.Id, _group.Stream, entry.DeliveryCount);
            return entry.DeliveryCount < _group.Options.MaxDeliveries
                ? EntryOutcome.Failed
                : await DeadLetterAsync(entry,
                    $"failed in {entry.DeliveryCount} deliveries, the last time with {e.GetType().Name}: {e.Message}", entry.DeliveryCount);
        }
    }

    private T Decode(InFlightEntry entry)
    {
        var value = (T?)entry.Value ?? _topic.Decode(entry.Fields);
        entry.Value = value;
        return value;
    }

    private StreamMessage<T> Message(InFlightEntry entry)
    {
        var value = Decode(entry);
        // An entry added by hand has no event id; its entry id identifies it as well.
        var eventId = (string?)StreamFields.Find(entry.Fields, StreamFields.RawEventId) ?? $"{_topic.Key}:{entry.Id}";
        return new StreamMessage<T>(_topic, _group.Options.Group, entry.Id, eventId,
            StreamFields.OccurredAtOf(entry.Id, entry.Fields), entry.DeliveryCount, value) { Fence = _group.Fence };
    }

    private Activity? StartActivity(InFlightEntry entry)
    {
        ActivityContext.TryParse(StreamFields.Find(entry.Fields, StreamFields.RawTraceParent),
            StreamFields.Find(entry.Fields, StreamFields.RawTraceState), isRemote: true, out var producer);
        // The producer's span is the parent, so that an order is one trace, and linked too, as the conventions want it.
        var activity = CoordinationDiagnostics.ActivitySource.StartActivity(ActivityKind.Consumer, producer,
            links: producer == default ? null : [new ActivityLink(producer)], name: $"process {_group.Part.Topic}");
        if (activity is null)
        {
            return null;
        }
        activity.SetTag("messaging.system", "redis");
        activity.SetTag("messaging.operation.type", "process");
        activity.SetTag("messaging.operation.name", "XREADGROUP");
        activity.SetTag("messaging.destination.name", _group.Part.Topic);
        if (_group.Part.Number is { } number)
        {
            activity.SetTag("messaging.destination.partition.id", number.ToString(CultureInfo.InvariantCulture));
        }
        activity.SetTag("messaging.consumer.group.name", _group.Options.Group);
        activity.SetTag("messaging.client.id", _group.Consumer);
        activity.SetTag("redis.stream.entry_id", entry.Id);
        activity.SetTag("redis.stream.delivery_count", entry.DeliveryCount);
        if (StreamFields.Find(entry.Fields, StreamFields.RawEventId) is { IsNull: false } id)
        {
            activity.SetTag("messaging.message.id", (string?)id);
        }
        return activity;
    }

    private async ValueTask<EntryOutcome> DeadLetterAsync(InFlightEntry entry, string reason, long deliveries)
    {
        try
        {
            var moved = (long)await _group.EvaluateAsync(
                s_deadLetter, [_group.Stream, _group.DeadLetters],
                [_group.Options.Group, entry.Id, entry.EventIdIn(_group.Stream), reason, deliveries]);
            if (moved == 1)
            {
                StreamMetrics.DeadLettered.Add(1, _group.Tags);
                _group.Logger.LogError("Entry {EntryId} of {Stream} was moved to {DeadLetters}: {Reason}.",
                    entry.Id, _group.Stream, _group.DeadLetters, reason);
            }
            // Otherwise it was acknowledged or trimmed in the meantime, or its id is another event's at a new primary.
            return EntryOutcome.DeadLettered;
        }
        catch (Exception e)
        {
            // Still pending, so it will be redelivered.
            _group.Logger.LogWarning(e, "Entry {EntryId} of {Stream} could not be moved to the dead letters yet.", entry.Id, _group.Stream);
            return EntryOutcome.Failed;
        }
    }

    /// <summary>
    /// In a rolling upgrade other instances know the version already, and this one is about to be replaced. Counted from when the entry
    /// was appended or this instance saw such an entry first, whichever is later: what the group has yet to catch up with is not late.
    /// </summary>
    private bool MayBeKnownSoon(InFlightEntry entry, StreamDecodeException reason)
    {
        var now = _group.Clock.GetUtcNow();
        DateTimeOffset since;
        lock (_newerVersions)
        {
            if (now - _newerVersions.Last > _group.Options.NewerVersionsWait)
            {
                _newerVersions.First = now;
                _group.Logger.LogWarning(
                    "Group {Group} leaves entry {EntryId} of {Stream}, and others like it, to newer instances for {Wait}: {Reason}.",
                    _group.Options.Group, entry.Id, _group.Stream, _group.Options.NewerVersionsWait, reason.Message);
            }
            _newerVersions.Last = now;
            since = _newerVersions.First;
        }
        var appended = StreamFields.AppendedAt(entry.Id);
        // An id made by hand may lie in the future.
        return now - (appended > since && appended < now ? appended : since) < _group.Options.NewerVersionsWait;
    }

    /// <summary>Leaves the entry pending for whoever claims it after the minimum idle time; the delivery does not count.</summary>
    private async ValueTask<EntryOutcome> PostponeAsync(InFlightEntry entry)
    {
        try
        {
            await _group.EvaluateAsync(s_release, [_group.Stream], [_group.Options.Group, _group.Consumer, 0, entry.Id]);
            return EntryOutcome.Postponed;
        }
        catch (Exception e)
        {
            _group.Logger.LogDebug(e, "Entry {EntryId} of {Stream} could not be released.", entry.Id, _group.Stream);
            return EntryOutcome.Failed;
        }
    }

    private static string Name(EntryOutcome outcome) => outcome switch
    {
        EntryOutcome.Handled or EntryOutcome.Acknowledged => "handled",
        EntryOutcome.Skipped => "skipped",
        EntryOutcome.Cancelled => "cancelled",
        EntryOutcome.DeadLettered => "dead_lettered",
        EntryOutcome.Postponed => "postponed",
        _ => "failed",
    };

    /// <summary>When entries of newer versions were seen first, without a pause longer than the wait, and last.</summary>
    private sealed class NewerVersions
    {
        public DateTimeOffset First { get; set; }

        public DateTimeOffset Last { get; set; }
    }
}
