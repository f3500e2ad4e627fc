using System.ComponentModel.DataAnnotations;
using AspireRedis.Coordination;

namespace AspireRedis.Orders;

/// <summary>Options of the section <c>Orders</c>.</summary>
internal sealed class OrderOptions
{
    /// <summary>
    /// When an order counts as accepted. Default <see cref="Coordination.Durability.Replica"/>; a deployment
    /// without replicas must choose Memory, or every order is answered with 503.
    /// </summary>
    [EnumDataType(typeof(Durability))]
    public Durability Durability { get; set; } = Durability.Replica;

    /// <summary>How long an idempotency key is remembered. Default 24 h.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan IdempotencyWindow { get; set; } = TimeSpan.FromHours(24);

    /// <summary>
    /// How long an order may be placed and not settled before it is looked after: when nobody works on its payment any more,
    /// its event is published again. Default 5 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan ReconcileAfter { get; set; } = TimeSpan.FromMinutes(5);
}
