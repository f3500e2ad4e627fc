using AspireRedis.Coordination;

namespace AspireRedis.Notifications;

/// <summary>The configuration section <c>Mail</c>.</summary>
internal sealed class MailOptions
{
    public const string Section = "Mail";

    /// <summary>The sender; its domain is also that of the Message-IDs.</summary>
    public string From { get; set; } = "AspireRedis Shop <shop@example.org>";

    /// <summary>The folder for mails when no SMTP server is configured, relative to the content root.</summary>
    public string PickupFolder { get; set; } = "mail";

    /// <summary>
    /// What the request for a mail must survive before the mail is sent, since a sent mail cannot be taken back. Default
    /// <see cref="Coordination.Durability.Replica"/>; a deployment without replicas must choose Memory.
    /// </summary>
    public Durability Durability { get; set; } = Durability.Replica;

    public SmtpOptions Smtp { get; set; } = new();
}
