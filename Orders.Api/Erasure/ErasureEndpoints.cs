using System.ComponentModel.DataAnnotations;
using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Erasure;

/// <summary>The request body of <c>POST /customers/erasures</c>: a path would get into logs and traces.</summary>
/// <param name="UserId">The customer.</param>
public sealed record ErasureRequest(
    [property: Required(ErrorMessage = "userId is required."), PlainText("userId"),
     StringLength(64, MinimumLength = 1, ErrorMessage = "userId must have 1 to 64 characters.")]
    string UserId);

/// <summary>Erasing a customer's data. Like the dead letters it belongs behind whatever keeps customers out.</summary>
internal static class ErasureEndpoints
{
    public static void MapErasure(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Retention").WithSharedProblems()
            .MapPost("/customers/erasures", PostAsync).WithName("EraseCustomer")
            .WithSummary("Erases a customer from all orders that he has placed until now.")
            .WithDescription("200 when nothing is left to do; 202 while orders are under way, which are finished first and then erased. "
                + "The request is durable; asking again tells what is still waiting.");

    private static async Task<Results<Ok<ErasureReport>, Accepted<ErasureReport>>> PostAsync(
        ErasureRequest request, CustomerErasure erasure, CancellationToken cancellationToken)
    {
        var report = await erasure.RequestAsync(request.UserId, cancellationToken);
        return report.WaitingOrders.Count > 0 ? TypedResults.Accepted((string?)null, report) : TypedResults.Ok(report);
    }
}
