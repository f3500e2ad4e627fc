namespace AspireRedis.Notifications;

/// <summary>The mail was not taken; it is tried again with the next delivery of its event.</summary>
internal sealed class MailNotSentException(string message) : Exception(message);
