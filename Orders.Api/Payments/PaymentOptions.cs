using System.ComponentModel.DataAnnotations;

namespace AspireRedis.Orders.Payments;

/// <summary>Options of the section <c>Payments</c>.</summary>
internal sealed class PaymentOptions
{
    /// <summary>The simulated gateway declines payments above this amount. Default 10,000.</summary>
    [Range(typeof(decimal), "0", "1000000000")]
    public decimal DeclineAbove { get; set; } = 10_000;
}
