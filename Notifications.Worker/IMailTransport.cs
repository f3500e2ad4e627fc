using System.Diagnostics;
using AspireRedis.Coordination.Streams;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Takes mails off our hands. It may be called concurrently.</summary>
internal interface IMailTransport
{
    /// <summary>For spans and logs.</summary>
    string Name { get; }

    /// <summary>Notes on the span where mails go.</summary>
    void Describe(Activity span);

    /// <summary>Returns when the mail is in safe hands. Its exceptions carry no address.</summary>
    /// <exception cref="PermanentFailureException">The mail was refused for good: no repetition would help.</exception>
    Task SendAsync(MimeMessage mail, CancellationToken cancellationToken);
}
