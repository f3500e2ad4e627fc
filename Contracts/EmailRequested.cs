namespace AspireRedis.Contracts;

/// <summary>A mail shall be sent. The event id becomes its Message-ID, so that a repeated delivery can be recognised.</summary>
/// <param name="Recipient">Address of the customer.</param>
/// <param name="Subject">The subject line.</param>
/// <param name="Body">Plain text.</param>
/// <param name="OrderId">The order it is about.</param>
public sealed record EmailRequested(string Recipient, string Subject, string Body, string OrderId);
