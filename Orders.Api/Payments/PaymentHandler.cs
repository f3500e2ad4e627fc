using System.Diagnostics;
using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Orders.Payments;

/// <summary>
/// Consumer group <c>payments</c>: authorises the payment of a placed order, then confirms or rejects it. One script writes
/// the outcome, requests the mail and acknowledges the event.
/// </summary>
internal sealed class PaymentHandler(
    OrderStore orders, IPaymentGateway gateway, IServiceScopeFactory scopes, ILogger<PaymentHandler> logger) : IStreamHandler<OrderPlaced>
{
    public const string Group = "payments";

    public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
    {
        var placed = message.Value;
        // Nobody must be charged for an order that a failover has lost or may still lose.
        if (await orders.FindPayableAsync(message, cancellationToken) is not { } order)
        {
            logger.LogWarning("Order {OrderId} was lost in a failover before it counted as placed.", placed.OrderId);
            return HandlerResult.Acknowledged;
        }
        var authorised = await gateway.AuthoriseAsync(message.EventId, order.UserId, order.Total, cancellationToken);
        Activity.Current?.SetTag("payment.authorised", authorised);
        if (!authorised)
        {
            // Before the order is settled: after a crash in between the event is redelivered, and returning twice is harmless.
            using var scope = scopes.CreateScope();
            await scope.ServiceProvider.GetRequiredService<InventoryClient>().ReturnAsync(order, cancellationToken);
        }
        var status = authorised ? OrderStatus.Confirmed : OrderStatus.Rejected;
        if (await orders.SettleAsync(message, order, status, Mail(order, status), cancellationToken))
        {
            logger.LogInformation("Order {OrderId} is {Status}.", order.OrderId, status);
        }
        return HandlerResult.Acknowledged;
    }

    private static EmailRequested Mail(Order order, OrderStatus status)
    {
        var total = order.Total.ToString("0.00", CultureInfo.InvariantCulture);
        var lines = string.Join('\n',
            order.Lines.Select(l => string.Create(CultureInfo.InvariantCulture, $"  {l.Quantity} x {l.Sku} at {l.UnitPrice:0.00}")));
        return status == OrderStatus.Confirmed
            ? new EmailRequested(order.Email, $"Your order {order.OrderId} is confirmed",
            $"Thank you for your order.\n\n{lines}\n\nTotal: {total}\n", order.OrderId)
            : new EmailRequested(order.Email, $"Your order {order.OrderId} could not be paid",
                $"Your payment of {total} was declined, so we had to cancel your order:\n\n{lines}\n\nNothing was charged.\n",
                order.OrderId);
    }
}
