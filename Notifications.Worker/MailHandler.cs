using System.Diagnostics;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Options;

namespace AspireRedis.Notifications;

/// <summary>Sends the requested mails. After a crash a mail can be sent twice, with the same Message-ID.</summary>
internal sealed class MailHandler(
    MailComposer composer, IMailTransport transport, DurableWriter writer, RedisDeployment redis, ChannelPublisher publisher,
    ShopPartitions partitions, IOptions<MailOptions> options, TimeProvider clock, ILogger<MailHandler> logger)
    : IStreamHandler<EmailRequested>
{
    public const string SourceName = "AspireRedis.Notifications";

    private static readonly ActivitySource s_source = new(SourceName);
    private static readonly RedisScript s_noteMailed = RedisScript.Load<MailHandler>("note-mailed", repeatable: true);

    public async Task<HandlerResult> HandleAsync(StreamMessage<EmailRequested> message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        using var mail = composer.Compose(message);
        var orderId = mail.Headers[MailComposer.OrderIdHeader];
        // A failover may lose a request that no replica has, and with it the order that the mail confirms.
        if (!await writer.ConfirmAsync(message, options.Value.Durability, cancellationToken))
        {
            logger.LogWarning("The request of mail {MessageId} was lost in a failover.", mail.MessageId);
            return HandlerResult.Acknowledged;
        }
        using var span = s_source.StartActivity("send mail", ActivityKind.Client);
        if (span is not null)
        {
            // No address: personal data does not belong in telemetry.
            span.SetTag("mail.message_id", mail.MessageId);
            span.SetTag("mail.transport", transport.Name);
            span.SetTag("shop.order.id", orderId);
            transport.Describe(span);
        }
        try
        {
            await transport.SendAsync(mail, cancellationToken);
        }
        catch (Exception e)
        {
            span?.SetTag("error.type", e.GetType().FullName);
            span?.SetStatus(ActivityStatusCode.Error, e.Message);
            throw;
        }
        logger.LogInformation("Mail {MessageId} for order {OrderId} sent by {Transport}.", mail.MessageId, orderId, transport.Name);
        return await NoteAsync(message, cancellationToken);
    }

    /// <summary>
    /// One script notes it and acknowledges: with two, in a failover the note could go to the old primary and the acknowledgement to
    /// the new one.
    /// </summary>
    private async Task<HandlerResult> NoteAsync(StreamMessage<EmailRequested> message, CancellationToken cancellationToken)
    {
        var orderId = message.Value.OrderId;
        using var told = publisher.Prepare(Topics.OrderChanged, new OrderChanged(orderId));
        try
        {
            await redis.EvaluateAsync(s_noteMailed, [message.Topic.Key, partitions.OrderHashOf(orderId)],
                [message.Group, message.EntryId, message.EventId, clock.GetUtcNow().ToUnixTimeMilliseconds(), told.Channel, told.Message],
                cancellationToken);
            return HandlerResult.Acknowledged;
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Not a reason to send the mail again: it is acknowledged by the group, and only the note is missing.
            told.Failed(e);
            logger.LogWarning("That the mail for order {OrderId} was sent could not be noted: {Reason}", orderId, e.Message);
            return HandlerResult.Handled;
        }
    }
}
