using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>Counts each event in Redis, once in effect: inbox, count and acknowledgement are one script.</summary>
internal sealed class StateHandler(Inbox inbox, PlannedCrash crash) : IStreamHandler<WorkItem>
{
    private static readonly RedisScript s_count = RedisScript.Load<StateHandler>("count-once");

    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        crash.Reached(CrashPoint.InHandler);
        var counting = inbox.CommitAsync(
            message, s_count, [$"{message.Topic.Key}:effects"], [message.Value.Number], [], cancellationToken: cancellationToken);
        crash.Reached(CrashPoint.AfterEffect);
        await counting;
        crash.Reached(CrashPoint.AfterAcknowledgement);
        return HandlerResult.Acknowledged;
    }
}
