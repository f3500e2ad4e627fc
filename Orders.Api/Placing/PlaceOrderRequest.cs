using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace AspireRedis.Orders.Placing;

/// <summary>The request body of <c>POST /orders</c>.</summary>
/// <param name="UserId">The customer.</param>
/// <param name="Email">The address for the confirmation.</param>
/// <param name="Lines">Products and quantities; each SKU once.</param>
public sealed record PlaceOrderRequest(
    [property: Required, StringLength(64, MinimumLength = 1)] string UserId,
    [property: Required, MailAddress, StringLength(254)] string Email,
    [property: Required, MinLength(1), MaxLength(20)] IReadOnlyList<PlaceOrderLine> Lines) : IValidatableObject
{
    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Lines is not null && Lines.Any(l => l is null))
        {
            yield return new ValidationResult("A line must not be null.", [nameof(Lines)]);
        }
        else if (Lines is not null && Lines.DistinctBy(l => l.Sku).Count() < Lines.Count)
        {
            yield return new ValidationResult("Each SKU may occur once.", [nameof(Lines)]);
        }
    }
}

/// <summary>
/// An address to which mail can be sent. <see cref="EmailAddressAttribute"/> accepts any text with one @ in the middle, and
/// the customer of an accepted order would never receive the confirmation.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter)]
public sealed partial class MailAddressAttribute : ValidationAttribute
{
    /// <summary>Creates the attribute.</summary>
    public MailAddressAttribute()
        : base("The field {0} is not a valid e-mail address.")
    {
    }

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is not string address || Pattern().IsMatch(address);

    // Dot-atoms (RFC 5322) at a host name; quoted local parts and address literals are refused.
    [GeneratedRegex(@"^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\z", RegexOptions.ECMAScript)]
    private static partial Regex Pattern();
}

/// <summary>One product of an order.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Quantity">How many, 1 to 1000.</param>
public sealed record PlaceOrderLine(
    [property: Required, RegularExpression(Contracts.Sku.Pattern, ErrorMessage = Contracts.Sku.Rule)] string Sku,
    [property: Required, Range(1, 1000)] int? Quantity);

/// <summary>The response to a placed order.</summary>
/// <param name="OrderId">Its id.</param>
/// <param name="Status">Its status.</param>
/// <param name="Total">Total of the lines.</param>
/// <param name="Durability">What the order survives: <c>memory</c>, or <c>replica</c> when the replicas have it too.</param>
public sealed record PlacedOrder(string OrderId, OrderStatus Status, decimal Total, string Durability);

/// <summary>An order as the customer sees it.</summary>
/// <param name="OrderId">Its id.</param>
/// <param name="Status">Its status.</param>
/// <param name="UserId">The customer.</param>
/// <param name="Total">Total of the lines.</param>
/// <param name="Lines">What was ordered.</param>
/// <param name="PlacedAt">When it was placed.</param>
public sealed record OrderView(
    string OrderId, OrderStatus Status, string UserId, decimal Total, IReadOnlyList<Contracts.OrderedLine> Lines, DateTimeOffset PlacedAt);
