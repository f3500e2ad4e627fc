using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>
/// "Sends" a mail for each event: a file whose name has number and idempotency key. Outside Redis, so no script can
/// hold it.
/// </summary>
internal sealed class MailHandler(RedisDeployment deployment, string folder, PlannedCrash crash) : IStreamHandler<WorkItem>
{
    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        crash.Reached(CrashPoint.InHandler);
        // A second mail for the same event is a second file: they are to be counted.
        var name = string.Create(CultureInfo.InvariantCulture, $"{message.Value.Number} {message.EventId} {Guid.NewGuid():N}");
        await File.WriteAllBytesAsync(Path.Combine(folder, name), [], cancellationToken);
        crash.Reached(CrashPoint.AfterEffect);
        if (crash.IsPlannedAt(CrashPoint.AfterAcknowledgement))
        {
            // The library acknowledges when this method has returned.
            _ = CrashOnceAcknowledgedAsync(message);
        }
        return HandlerResult.Handled;
    }

    private async Task CrashOnceAcknowledgedAsync(StreamMessage<WorkItem> message)
    {
        while ((await deployment.Database.StreamPendingMessagesAsync(message.Topic.Key, message.Group, 1, default, message.EntryId,
            message.EntryId)).Length > 0)
        {
            await Task.Delay(5);
        }
        crash.Reached(CrashPoint.AfterAcknowledgement);
    }
}
