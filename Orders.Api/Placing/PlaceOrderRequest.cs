using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using AspireRedis.Contracts;

namespace AspireRedis.Orders.Placing;

/// <summary>The request body of <c>POST /orders</c>.</summary>
/// <param name="UserId">The customer.</param>
/// <param name="Email">The address for the confirmation.</param>
/// <param name="Lines">Products and quantities; each SKU once.</param>
public sealed record PlaceOrderRequest(
    [property: Required(ErrorMessage = "userId is required."), PlainText("userId"),
     StringLength(64, MinimumLength = 1, ErrorMessage = "userId must have 1 to 64 characters.")]
    string UserId,
    [property: Required(ErrorMessage = "email is required."),
     MailAddress(ErrorMessage = "email must be an address to which mail can go, as in anna@example.org."),
     StringLength(MailAddressAttribute.MaxLength, ErrorMessage = "email must have at most 254 characters.")]
    string Email,
    [property: Required(ErrorMessage = "lines is required."),
     MinLength(1, ErrorMessage = "lines must have 1 to 20 items."), MaxLength(20, ErrorMessage = "lines must have 1 to 20 items.")]
    IReadOnlyList<PlaceOrderLine> Lines) : IValidatableObject
{
    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Lines is not null && Lines.Any(l => l is null))
        {
            yield return new ValidationResult("lines must not have an item that is null.", [nameof(Lines)]);
        }
        else if (Lines is not null && Lines.DistinctBy(l => l.Sku).Count() < Lines.Count)
        {
            yield return new ValidationResult("lines must have each sku once.", [nameof(Lines)]);
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
    /// <summary>The longest address that goes into a path of SMTP (RFC 5321, erratum 1690).</summary>
    public const int MaxLength = 254;

    private const int MaxLocalPart = 64;

    /// <inheritdoc/>
    public override bool IsValid(object? value)
        => value is not string address
            || (address.Length <= MaxLength && Pattern().IsMatch(address) && address.IndexOf('@', StringComparison.Ordinal) <= MaxLocalPart
                // A name that ends in a number is no host name (RFC 1123), and whoever typed it forgot something.
                && address[(address.LastIndexOfAny(['@', '.']) + 1)..].Any(c => !char.IsAsciiDigit(c)));

    // Dot-atoms (RFC 5322) at a host name; quoted local parts and address literals are refused.
    [GeneratedRegex(
        @"^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\z", RegexOptions.ECMAScript)]
    private static partial Regex Pattern();
}

/// <summary>One product of an order.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Quantity">How many, 1 to 1000.</param>
public sealed record PlaceOrderLine(
    [property: Required(ErrorMessage = "sku is required."), RegularExpression(Contracts.Sku.Pattern, ErrorMessage = Contracts.Sku.Rule)]
    string Sku,
    [property: Required(ErrorMessage = "quantity is required."),
     Range(1, 1000, ErrorMessage = "quantity must be a whole number from 1 to 1000.")]
    int? Quantity);

/// <summary>The response to a placed order.</summary>
/// <param name="OrderId">Its id.</param>
/// <param name="Status"><c>placed</c>, also for a repetition: GET tells where the order stands now.</param>
/// <param name="Total">Sum over the lines.</param>
/// <param name="Durability">
/// What the order survives: <c>memory</c>, <c>replica</c> when a replica has it too, <c>region</c> when the standby region has it.
/// </param>
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
