using Microsoft.Net.Http.Headers;

namespace AspireRedis.Inventory.Products;

/// <summary>The condition of a request (RFC 9110, section 13). Without tags in either list there is none.</summary>
/// <param name="AnyOf">From If-Match: the product exists and has one of these tags.</param>
/// <param name="NoneOf">From If-None-Match: the product does not exist, or has none of these tags.</param>
internal sealed record Precondition(IReadOnlyList<EntityTagHeaderValue> AnyOf, IReadOnlyList<EntityTagHeaderValue> NoneOf)
{
    /// <summary>Reads the headers, null where there is none; false with the name of the one that cannot be read.</summary>
    public static bool TryParse(string? ifMatch, string? ifNoneMatch, out Precondition condition, out string badHeader)
    {
        badHeader = !TryParse(ifMatch, out var anyOf) ? HeaderNames.IfMatch : "";
        if (!TryParse(ifNoneMatch, out var noneOf))
        {
            badHeader = HeaderNames.IfNoneMatch;
        }
        condition = new Precondition(anyOf, noneOf);
        return badHeader.Length == 0;
    }

    private static bool TryParse(string? header, out IReadOnlyList<EntityTagHeaderValue> tags)
    {
        tags = [];
        if (header is null)
        {
            return true;
        }
        if (!EntityTagHeaderValue.TryParseStrictList([header], out var parsed) || parsed.Count == 0)
        {
            return false;
        }
        tags = [.. parsed];
        // With others beside it, * says nothing (RFC 9110, section 13.1.1).
        return parsed.Count == 1 || !parsed.Contains(EntityTagHeaderValue.Any);
    }
}
