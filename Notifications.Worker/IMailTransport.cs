using System.Diagnostics;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Sends mails. Safe for concurrent use.</summary>
internal interface IMailTransport
{
    /// <summary>The name for spans and logs.</summary>
    string Name { get; }

    /// <summary>Adds tags for the destination to the span.</summary>
    void Describe(Activity span);

    /// <summary>Completes when the transport has accepted the mail. Its exceptions contain no mail address.</summary>
    Task SendAsync(MimeMessage mail, CancellationToken cancellationToken);
}
