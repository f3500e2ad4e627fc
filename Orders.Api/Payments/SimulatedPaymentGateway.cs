using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.Payments;

/// <summary>Stands in for a payment provider: authorises everything up to a limit, and moves no money.</summary>
internal sealed class SimulatedPaymentGateway(IOptions<PaymentOptions> options) : IPaymentGateway
{
    public Task<bool> AuthoriseAsync(string idempotencyKey, string userId, decimal amount, CancellationToken cancellationToken)
        => Task.FromResult(amount <= options.Value.DeclineAbove);
}
