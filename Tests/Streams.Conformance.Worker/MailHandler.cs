using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Streams.Conformance.Worker;

/// <summary>"Sends" a mail for each event: a file whose name has number and idempotency key. Outside Redis, so no script can hold it.</summary>
internal sealed class MailHandler(RedisDeployment deployment, string folder, Suicide suicide) : IStreamHandler<WorkItem>
{
    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        suicide.At(KillStep.InHandler);
        // A second mail for the same event is a second file: they are to be counted.
        var name = string.Create(CultureInfo.InvariantCulture, $"{message.Value.Number} {message.EventId} {Guid.NewGuid():N}");
        await File.WriteAllBytesAsync(Path.Combine(folder, name), [], cancellationToken);
        suicide.At(KillStep.AfterEffect);
        if (suicide.IsPlannedAt(KillStep.AfterAcknowledgement))
        {
            // The library acknowledges when this method has returned.
            _ = DieOnceAcknowledgedAsync(message);
        }
        return HandlerResult.Handled;
    }

    private async Task DieOnceAcknowledgedAsync(StreamMessage<WorkItem> message)
    {
        while ((await deployment.Database.StreamPendingMessagesAsync(message.Topic.Key, message.Group, 1, default, message.EntryId, message.EntryId)).Length > 0)
        {
            await Task.Delay(5);
        }
        suicide.At(KillStep.AfterAcknowledgement);
    }
}
