using System.ComponentModel.DataAnnotations;
using AspireRedis.Coordination;

namespace AspireRedis.Orders;

/// <summary>Options of the section <c>Orders</c>.</summary>
internal sealed class OrderOptions : IValidatableObject
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

    /// <summary>
    /// How long an order is kept after it was settled, together with its journal; then it is deleted. Default 400 days. At least
    /// <see cref="IdempotencyWindow"/>, or a repetition would place it anew, and longer than Inventory.Api may be away: it asks
    /// whether an order was placed before it gives its items back.
    /// </summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "36525.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(400);

    /// <summary>Whether an order is deleted only when somebody has said that he has its export. Default false.</summary>
    public bool ExportBeforeDelete { get; set; }

    /// <summary>How often old orders are deleted, and requests to erase data that had to wait are looked at. Default 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00")]
    public TimeSpan RetentionInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeepFor < IdempotencyWindow)
        {
            yield return new ValidationResult("Orders:KeepFor must be at least Orders:IdempotencyWindow.", [nameof(KeepFor)]);
        }
    }
}
