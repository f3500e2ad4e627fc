using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.ServiceDefaults;

/// <summary>The answers that come from what all endpoints share, for the OpenAPI document.</summary>
public static class ProblemAnswersExtensions
{
    /// <summary>
    /// Documents 500 and 503, and for endpoints that take a body 400, 413 and 415 too. Answers of an endpoint of its own are
    /// documented beside it.
    /// </summary>
    public static TBuilder WithSharedProblems<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        // At the end, when it is known which endpoints take a body.
        builder.Finally(endpoint =>
        {
            int[] statuses = endpoint.Metadata.OfType<IAcceptsMetadata>().Any()
                ? [StatusCodes.Status400BadRequest, StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType,
                    StatusCodes.Status500InternalServerError, StatusCodes.Status503ServiceUnavailable]
                : [StatusCodes.Status500InternalServerError, StatusCodes.Status503ServiceUnavailable];
            foreach (var status in statuses.Except(endpoint.Metadata.OfType<IProducesResponseTypeMetadata>().Select(m => m.StatusCode)))
            {
                endpoint.Metadata.Add(new ProducesResponseTypeMetadata(status, typeof(ProblemDetails), ["application/problem+json"]));
            }
        });
        return builder;
    }
}
