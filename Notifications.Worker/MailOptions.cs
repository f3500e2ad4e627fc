namespace AspireRedis.Notifications;

/// <summary>The configuration section <c>Mail</c>.</summary>
internal sealed class MailOptions
{
    public const string Section = "Mail";

    /// <summary>The sender; its domain is also that of the Message-IDs.</summary>
    public string From { get; set; } = "AspireRedis Shop <shop@example.org>";

    /// <summary>Where mails are put when no SMTP server is configured; relative to the content root.</summary>
    public string PickupFolder { get; set; } = "mail";

    public SmtpOptions Smtp { get; set; } = new();
}
