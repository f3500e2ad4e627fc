using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.OpenApi;

namespace AspireRedis.ServiceDefaults;

/// <summary>The parameter <c>limit</c> of everything that is read a page at a time.</summary>
public static class Paging
{
    /// <summary>The name of the parameter.</summary>
    public const string Limit = "limit";

    /// <summary>How many a page has when nobody says.</summary>
    public const int DefaultLimit = 20;

    /// <summary>How many it has at most.</summary>
    public const int MaxLimit = 100;

    /// <summary>What is wrong with a limit.</summary>
    public static string LimitRule { get; } =
        string.Create(CultureInfo.InvariantCulture, $"limit must be a whole number from 1 to {MaxLimit}.");

    /// <summary>Reads the limit; without one it is <see cref="DefaultLimit"/>.</summary>
    /// <param name="text">As it was given: text, so that what is no number is answered like a number that is too large.</param>
    /// <param name="limit">From 1 to <see cref="MaxLimit"/>.</param>
    public static bool TryReadLimit(string? text, out int limit)
    {
        limit = DefaultLimit;
        return text is null
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxLimit);
    }

    /// <summary>Documents the limit as the number that it is.</summary>
    /// <param name="endpoint">An endpoint with that parameter.</param>
    public static RouteHandlerBuilder WithLimit(this RouteHandlerBuilder endpoint)
        => endpoint.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>().Where(p => p.Name == Limit) ?? [])
            {
                parameter.Description = "How many at most.";
                parameter.Schema = new OpenApiSchema
                {
                    Type = JsonSchemaType.Integer, Format = "int32", Minimum = "1",
                    Maximum = MaxLimit.ToString(CultureInfo.InvariantCulture), Default = JsonValue.Create(DefaultLimit),
                };
            }
            return Task.CompletedTask;
        });
}
