using System.Diagnostics;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Options;

namespace AspireRedis.Notifications;

/// <summary>Sends the requested mails. After a crash a mail can be sent twice, with the same Message-ID.</summary>
internal sealed class MailHandler(
    MailComposer composer, IMailTransport transport, DurableWriter writer, IOptions<MailOptions> options, ILogger<MailHandler> logger)
    : IStreamHandler<EmailRequested>
{
    public const string SourceName = "AspireRedis.Notifications";

    private static readonly ActivitySource s_source = new(SourceName);

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
        return HandlerResult.Handled;
    }
}
