using MailKit.Security;

namespace AspireRedis.Notifications;

/// <summary>The configuration section <c>Mail:Smtp</c>.</summary>
internal sealed class SmtpOptions
{
    /// <summary>The server; empty to use the pickup folder.</summary>
    public string Host { get; set; } = "";

    public int Port { get; set; } = 587;

    /// <summary>
    /// <c>StartTls</c>, <c>SslOnConnect</c> (TLS from the first byte, port 465), <c>None</c>, or one of the other two of
    /// <see cref="SecureSocketOptions"/>, which continue unencrypted when the server offers no TLS.
    /// </summary>
    public SecureSocketOptions Security { get; set; } = SecureSocketOptions.StartTls;

    /// <summary>Empty for no authentication.</summary>
    public string UserName { get; set; } = "";

    public string Password { get; set; } = "";

    /// <summary>Bound for one mail, from connecting to the server's reply.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);
}
