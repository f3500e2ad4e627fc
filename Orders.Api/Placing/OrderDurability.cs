using AspireRedis.Coordination;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.Placing;

/// <summary>
/// The level at which a request wants its order to be acknowledged, from the header <see cref="Header"/>. It is a header and not a property
/// of the order: it says when to answer and not what is ordered, so a repetition under the same idempotency key may ask for another
/// level, and still is the same request.
/// </summary>
internal sealed class OrderDurability(IOptions<OrderOptions> options, RegionOptions? regions = null)
{
    /// <summary>The name of the header.</summary>
    public const string Header = "Durability";

    /// <summary>Its only value: what is configured nobody needs to ask for, and less than that is not to be had.</summary>
    public const string Region = "region";

    /// <summary>Whether there is a standby that could have the order, be it away at the moment.</summary>
    public bool HasStandby => regions is { Regions.Count: > 1 };

    /// <summary>Whether the header can be understood.</summary>
    public static bool IsValid(string? header) => header is null || string.Equals(header, Region, StringComparison.OrdinalIgnoreCase);

    /// <summary>The level for a header that is valid; null for what is configured.</summary>
    public Durability LevelOf(string? header) => header is null ? options.Value.Durability : Durability.Region;
}
