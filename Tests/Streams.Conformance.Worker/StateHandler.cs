using AspireRedis.Coordination;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Streams.Conformance.Worker;

/// <summary>Counts each event in Redis, once in effect: inbox, count and acknowledgement are one script.</summary>
internal sealed class StateHandler(RedisDeployment deployment, Suicide suicide) : IStreamHandler<WorkItem>
{
    private static readonly RedisScript s_count = RedisScript.Load<StateHandler>("count-once");

    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        suicide.At(KillStep.InHandler);
        var stream = message.Topic.Key;
        var counting = s_count.EvaluateAsync(deployment.Database, [stream, $"{stream}:inbox", $"{stream}:effects"],
            message.Group, message.EntryId, message.EventId, message.Value.Number);
        suicide.At(KillStep.AfterEffect);
        await counting;
        suicide.At(KillStep.AfterAcknowledgement);
        return HandlerResult.Acknowledged;
    }
}
