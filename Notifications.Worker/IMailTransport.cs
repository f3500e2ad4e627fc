using System.Diagnostics;
using AspireRedis.Coordination.Streams;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Sends mails. Safe for concurrent use.</summary>
internal interface IMailTransport
{
    /// <summary>The name for spans and logs.</summary>
    string Name { get; }

    /// <summary>Adds tags for the destination to the span.</summary>
    void Describe(Activity span);

    /// <summary>Returns when the mail is in safe hands. Its exceptions carry no address.</summary>
    /// <exception cref="PermanentFailureException">The mail was refused for good: no repetition would help.</exception>
    Task SendAsync(MimeMessage mail, CancellationToken cancellationToken);
}
