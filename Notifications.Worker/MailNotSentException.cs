namespace AspireRedis.Notifications;

/// <summary>The mail was not accepted; it is retried with the next delivery of its event.</summary>
internal sealed class MailNotSentException(string message) : Exception(message);
