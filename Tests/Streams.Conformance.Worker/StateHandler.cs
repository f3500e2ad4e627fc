using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Streams.Conformance.Worker;

/// <summary>Counts each event in Redis, once in effect: inbox, count and acknowledgement are one script.</summary>
internal sealed class StateHandler(Inbox inbox, Suicide suicide) : IStreamHandler<WorkItem>
{
    private static readonly RedisScript s_count = RedisScript.Load<StateHandler>("count-once");

    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        suicide.At(KillStep.InHandler);
        var counting = inbox.CommitAsync(
            message, s_count, [$"{message.Topic.Key}:effects"], [message.Value.Number], [], cancellationToken: cancellationToken);
        suicide.At(KillStep.AfterEffect);
        await counting;
        suicide.At(KillStep.AfterAcknowledgement);
        return HandlerResult.Acknowledged;
    }
}
