namespace AspireRedis.Orders.Payments;

/// <summary>Authorises payments; in production a client of a payment provider.</summary>
internal interface IPaymentGateway
{
    /// <param name="idempotencyKey">The same for each repetition of one payment: the provider charges once.</param>
    /// <param name="userId">Who pays.</param>
    /// <param name="amount">How much.</param>
    /// <param name="cancellationToken">Ends the wait; the payment may be authorised all the same.</param>
    /// <returns>Whether the payment is authorised; the same answer for the same key.</returns>
    Task<bool> AuthoriseAsync(string idempotencyKey, string userId, decimal amount, CancellationToken cancellationToken);
}
