namespace AspireRedis.Contracts;

/// <summary>A mail is to be sent. The event id is its Message-ID, so that a second delivery is known as the same mail.</summary>
/// <param name="Recipient">Address of the customer.</param>
/// <param name="Subject">The subject line.</param>
/// <param name="Body">Plain text.</param>
/// <param name="OrderId">The order that it is about.</param>
public sealed record EmailRequested(string Recipient, string Subject, string Body, string OrderId);
