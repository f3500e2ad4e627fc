namespace AspireRedis.Orders.Payments;

/// <summary>Authorises payments; in production a client of a payment provider.</summary>
internal interface IPaymentGateway
{
    /// <param name="idempotencyKey">The same for each repetition of a payment, so that the provider charges once.</param>
    /// <param name="userId">The customer.</param>
    /// <param name="amount">The amount.</param>
    /// <param name="cancellationToken">Ends the wait; the payment may be authorised nevertheless.</param>
    /// <returns>Whether the payment is authorised; the same answer for the same key.</returns>
    Task<bool> AuthoriseAsync(string idempotencyKey, string userId, decimal amount, CancellationToken cancellationToken);
}
