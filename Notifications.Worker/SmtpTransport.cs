using System.Diagnostics;
using System.Net.Sockets;
using AspireRedis.Coordination.Streams;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Options;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>Sends mails to an SMTP server, each over a connection of its own, which needs neither keep-alive nor a lock.</summary>
internal sealed class SmtpTransport(IOptions<MailOptions> options) : IMailTransport
{
    private readonly SmtpOptions _options = options.Value.Smtp;

    public string Name => "SMTP";

    public void Describe(Activity span)
    {
        span.SetTag("server.address", _options.Host);
        span.SetTag("server.port", _options.Port);
    }

    public async Task SendAsync(MimeMessage mail, CancellationToken cancellationToken)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bounded.CancelAfter(_options.Timeout);
        try
        {
            using var client = new SmtpClient();
            await client.ConnectAsync(_options.Host, _options.Port, _options.Security, bounded.Token);
            if (_options.UserName.Length > 0)
            {
                await client.AuthenticateAsync(_options.UserName, _options.Password, bounded.Token);
            }
            await SendAsync(client, mail, bounded.Token);
            await QuitAsync(client, bounded.Token);
        }
        // The server's replies contain addresses and must not reach logs and traces.
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw NotSent($"did not take the mail within {_options.Timeout}");
        }
        catch (SmtpCommandException e)
        {
            throw NotSent(Answer(e));
        }
        catch (AuthenticationException)
        {
            throw NotSent("did not accept Mail:Smtp:UserName and Mail:Smtp:Password");
        }
        catch (SslHandshakeException)
        {
            throw NotSent($"could not negotiate TLS (Mail:Smtp:Security is {_options.Security})");
        }
        catch (Exception e) when (e is SocketException or IOException or ProtocolException or NotSupportedException)
        {
            throw NotSent($"failed: {e.Message.TrimEnd('.')}");
        }
    }

    /// <summary>
    /// A refusal of this mail for good (5xx: no such mailbox, too large) is one that no repetition changes. One that comes
    /// before, from connecting and logging in, is about us, and somebody may put it right.
    /// </summary>
    private async Task SendAsync(SmtpClient client, MimeMessage mail, CancellationToken cancellationToken)
    {
        try
        {
            await client.SendAsync(mail, cancellationToken);
        }
        catch (SmtpCommandException e) when ((int)e.StatusCode is >= 500 and < 600)
        {
            throw new PermanentFailureException($"the SMTP server {_options.Host}:{_options.Port} refused the mail: it {Answer(e)}");
        }
        catch (ServiceNotAuthenticatedException)
        {
            throw NotSent("wants a log-in: Mail:Smtp:UserName and Mail:Smtp:Password");
        }
    }

    private static async Task QuitAsync(SmtpClient client, CancellationToken cancellationToken)
    {
        try
        {
            await client.DisconnectAsync(quit: true, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ProtocolException or CommandException)
        {
            // The server has accepted the mail; a failure here must not send it again.
        }
    }

    private static string Answer(SmtpCommandException e) => $"answered {(int)e.StatusCode} ({e.ErrorCode})";

    private MailNotSentException NotSent(string reason) => new($"The SMTP server {_options.Host}:{_options.Port} {reason}.");
}
