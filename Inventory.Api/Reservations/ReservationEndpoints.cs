using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Inventory.Reservations;

/// <summary>What Orders.Api calls. Both may be repeated with the same order id.</summary>
internal static class ReservationEndpoints
{
    private const int MaxLines = 50;
    private const int MaxQuantity = 1000;

    public static void MapReservations(this IEndpointRouteBuilder routes)
    {
        var reservations = routes.MapGroup("").WithTags("Reservations").WithSharedProblems();
        reservations.MapPut("/reservations/{orderId}", PutAsync).WithName("PutReservation")
            .WithSummary("Sets items aside for an order; all of them or none.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        reservations.MapPut("/reservations/{orderId}/return", ReturnAsync).WithName("ReturnReservation")
            .WithSummary("Gives the items of a placed order back.")
            .WithDescription("They go back also when the record of the reservation has expired, so the order must be one that was placed.");
    }

    private static async Task<Results<Ok<Reservation>, ValidationProblem, ProblemHttpResult>> PutAsync(
        string orderId, ReservationRequest request, ReservationService service, CancellationToken cancellationToken)
    {
        if (Errors(orderId, request) is { Count: > 0 } errors)
        {
            return TypedResults.ValidationProblem(errors);
        }
        return await service.ReserveAsync(orderId, request.Lines, cancellationToken) switch
        {
            ReserveResult.Reserved reserved => TypedResults.Ok(reserved.Reservation),
            ReserveResult.UnknownSku unknown => Problem(StatusCodes.Status404NotFound, ProblemTypes.UnknownSku, "Unknown SKU",
                $"There is no product '{unknown.Sku}'."),
            ReserveResult.OutOfStock shortOf => Problem(StatusCodes.Status409Conflict, ProblemTypes.OutOfStock, "Out of stock",
                $"There is not enough '{shortOf.Sku}' in stock."),
            ReserveResult.Ended => Problem(StatusCodes.Status409Conflict, ProblemTypes.ReservationEnded, "Reservation has ended",
                "The items of this order went back."),
            _ => Problem(StatusCodes.Status409Conflict, ProblemTypes.ReservationDiffers, "Reservation differs",
                "This order has a reservation of another quantity."),
        };
    }

    private static async Task<Results<NoContent, ValidationProblem>> ReturnAsync(
        string orderId, ReservationRequest request, ReservationService service, CancellationToken cancellationToken)
    {
        if (Errors(orderId, request) is { Count: > 0 } errors)
        {
            return TypedResults.ValidationProblem(errors);
        }
        await service.ReturnAsync(orderId, request.Lines, cancellationToken);
        return TypedResults.NoContent();
    }

    private static ProblemHttpResult Problem(int status, string type, string title, string detail)
        => TypedResults.Problem(detail, statusCode: status, title: title, type: type);

    private static Dictionary<string, string[]> Errors(string orderId, ReservationRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        // The same characters as in a SKU, for the same reason: it becomes part of a key.
        if (!Sku.IsValid(orderId))
        {
            errors["orderId"] = ["orderId is not an order id."];
        }
        if (request.Lines is not { Count: > 0 and <= MaxLines })
        {
            errors["lines"] = [$"lines must have 1 to {MaxLines} items."];
            return errors;
        }
        for (var i = 0; i < request.Lines.Count; i++)
        {
            if (request.Lines[i] is not { } line || !Sku.IsValid(line.Sku))
            {
                errors[$"lines[{i}].sku"] = [Sku.Rule];
            }
            else if (line.Quantity is < 1 or > MaxQuantity)
            {
                errors[$"lines[{i}].quantity"] = [$"quantity must be a whole number from 1 to {MaxQuantity}."];
            }
        }
        if (errors.Count == 0 && request.Lines.DistinctBy(l => l.Sku).Count() < request.Lines.Count)
        {
            errors["lines"] = ["lines must have each sku once."];
        }
        return errors;
    }
}
