using System.Security.Cryptography;
using System.Text;
using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Options;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Composes the mail for an event; the same event always gives the same mail.</summary>
internal sealed class MailComposer(IOptions<MailOptions> options)
{
    public const string OrderIdHeader = "X-Order-Id";

    private const int MaxIdLength = 128;

    private readonly MailboxAddress _from = MailboxAddress.Parse(options.Value.From);

    /// <exception cref="StreamDecodeException">The recipient is not an address, or a part is missing.</exception>
    public MimeMessage Compose(StreamMessage<EmailRequested> message)
    {
        var request = message.Value;
        // The parser accepts names without a domain, to which no mail can be sent.
        if (!MailboxAddress.TryParse(request.Recipient, out var recipient) || string.IsNullOrEmpty(recipient.Domain))
        {
            throw new StreamDecodeException("the recipient is not a mail address");
        }
        if (request is not { Subject: not null, Body: not null, OrderId: not null })
        {
            throw new StreamDecodeException("the subject, the body or the order id is missing");
        }
        var mail = new MimeMessage
        {
            Date = message.OccurredAt,
            MessageId = $"{Identify(message.EventId)}@{_from.Domain}",
            Subject = OneLine(request.Subject),
            Body = new TextPart("plain") { Text = request.Body },
        };
        mail.From.Add(_from);
        mail.To.Add(recipient);
        mail.Headers.Add(OrderIdHeader, OneLine(request.OrderId));
        // Prevents out-of-office replies (RFC 3834).
        mail.Headers.Add("Auto-Submitted", "auto-generated");
        // Chooses the transfer encoding; every relay accepts seven bits.
        mail.Prepare(EncodingConstraint.SevenBit);
        return mail;
    }

    /// <summary>
    /// The event id in a form that is valid in a Message-ID and a file name. If it has to be changed, a hash is appended, so
    /// that different ids stay different.
    /// </summary>
    private static string Identify(string eventId)
    {
        var safe = string.Concat(eventId.Take(MaxIdLength).Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '-'));
        return safe == eventId && safe.Length > 0
            ? safe
            : $"{safe}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(eventId)).AsSpan(0, 8))}";
    }

    /// <summary>Replaces control characters: text from the stream must not start a header of its own.</summary>
    private static string OneLine(string text)
        => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
