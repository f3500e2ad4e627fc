using System.Security.Cryptography;
using System.Text;
using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Options;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Makes a mail of an event; of the same event, the same mail.</summary>
internal sealed class MailComposer(IOptions<MailOptions> options)
{
    public const string OrderIdHeader = "X-Order-Id";

    private const int MaxIdLength = 128;

    private readonly MailboxAddress _from = MailboxAddress.Parse(options.Value.From);

    /// <exception cref="StreamDecodeException">The recipient is not an address, or a part is missing.</exception>
    public MimeMessage Compose(StreamMessage<EmailRequested> message)
    {
        var request = message.Value;
        // Bare names are addresses too for the parser, but no mail goes there.
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
        // So that out-of-office replies stay away (RFC 3834).
        mail.Headers.Add("Auto-Submitted", "auto-generated");
        // Chooses the transfer encoding; every relay takes seven bits.
        mail.Prepare(EncodingConstraint.SevenBit);
        return mail;
    }

    /// <summary>
    /// The event id, fit for a Message-ID and a file name. One that is not gets a hash, so that different ids stay so.
    /// </summary>
    private static string Identify(string eventId)
    {
        var safe = string.Concat(eventId.Take(MaxIdLength).Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '-'));
        return safe == eventId && safe.Length > 0
            ? safe
            : $"{safe}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(eventId)).AsSpan(0, 8))}";
    }

    /// <summary>What comes from the stream must not begin a header of its own.</summary>
    private static string OneLine(string text)
        => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
