using System.Globalization;
using System.Text;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Streams.Conformance.Worker;

/// <summary>"Sends" a mail for each event: a line in a file, number and idempotency key. Outside Redis, so no script can hold it.</summary>
internal sealed class MailHandler(RedisDeployment deployment, string file, Suicide suicide) : IStreamHandler<WorkItem>
{
    public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
    {
        suicide.At(KillStep.InHandler);
        Append(string.Create(CultureInfo.InvariantCulture, $"{message.Value.Number} {message.EventId}\n"));
        suicide.At(KillStep.AfterEffect);
        if (suicide.IsPlannedAt(KillStep.AfterAcknowledgement))
        {
            // The library acknowledges when this method has returned.
            _ = DieOnceAcknowledgedAsync(message);
        }
        return HandlerResult.Handled;
    }

    private void Append(string line)
    {
        // One write at the end of the file, which other processes write to as well.
        using var mails = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        mails.Write(Encoding.UTF8.GetBytes(line));
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
