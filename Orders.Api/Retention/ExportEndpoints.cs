using System.Text.Json;
using AspireRedis.Coordination.Streams;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Retention;

/// <param name="Through">The cursor of the last line that is safely stored.</param>
internal sealed record ExportConfirmation(string Through);

/// <summary>
/// Settled orders for an archive, before they are deleted. Like the dead letters they belong behind whatever keeps customers out.
/// </summary>
internal static class ExportEndpoints
{
    private const string Ndjson = "application/x-ndjson";
    private const int Batch = 100;

    public static void MapOrderExport(this IEndpointRouteBuilder routes)
    {
        var export = routes.MapGroup("").WithTags("Retention").WithSharedProblems();
        export.MapGet("/orders/export", GetAsync).WithName("ExportOrders")
            .WithSummary("Settled orders with their journals, one line of JSON each, in the order in which they were settled.")
            .WithDescription("before: only what was settled before this time; without it, before now. after: goes on behind the line "
                + "with this cursor. It takes the same memory however many orders there are. An answer that is not complete ends with an error "
                + "of the connection; go on after the cursor of the last whole line.")
            .Produces(StatusCodes.Status200OK, contentType: Ndjson).ProducesValidationProblem();
        export.MapPut("/orders/export", ConfirmAsync).WithName("ConfirmExport")
            .WithSummary("Says up to which cursor the export is safely stored.")
            .WithDescription("With Orders:ExportBeforeDelete no order behind it is deleted.");
    }

    private static Results<PushStreamHttpResult, ValidationProblem> GetAsync(
        DateTimeOffset? before, string? after, OrderArchive archive, OrderStore orders, OrderKeys keys, CancellationToken cancellationToken)
    {
        SettledCursor? from = null;
        if (after is not null)
        {
            if (!SettledCursor.TryParse(after, keys.PartitionCount, out var cursor))
            {
                return Invalid(nameof(after), keys);
            }
            from = cursor;
        }
        return TypedResults.Stream(output => WriteAsync(output, archive, orders, keys, from, before, cancellationToken), Ndjson);
    }

    private static async Task<Results<NoContent, ValidationProblem>> ConfirmAsync(
        ExportConfirmation confirmation, OrderArchive archive, OrderKeys keys, CancellationToken cancellationToken)
    {
        if (!SettledCursor.TryParse(confirmation.Through, keys.PartitionCount, out var cursor))
        {
            return Invalid("through", keys);
        }
        await archive.SetExportedAsync(cursor, cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task WriteAsync(
        Stream output, OrderArchive archive, OrderStore orders, OrderKeys keys, SettledCursor? after, DateTimeOffset? before,
        CancellationToken cancellationToken)
    {
        var until = await archive.SealAsync(before?.ToUnixTimeMilliseconds(), cancellationToken);
        while (await archive.FindAsync(after, until, Batch, cancellationToken) is { Length: > 0 } page)
        {
            await archive.ConfirmAsync(page, cancellationToken);
            foreach (var order in await Task.WhenAll(page.Select(o => ReadAsync(orders, keys, o, cancellationToken))))
            {
                // Null: it was deleted meanwhile.
                if (order is not null)
                {
                    await JsonSerializer.SerializeAsync(output, order, ExportJson.Default.ExportedOrder, cancellationToken);
                    await output.WriteAsync("\n"u8.ToArray(), cancellationToken);
                }
            }
            await output.FlushAsync(cancellationToken);
            after = page[^1].Cursor;
        }
    }

    private static async Task<ExportedOrder?> ReadAsync(
        OrderStore orders, OrderKeys keys, SettledOrder settled, CancellationToken cancellationToken)
    {
        Order? order;
        IReadOnlyList<RecordedEvent>? events;
        try
        {
            (order, events, _) = await orders.FindWithEventsAsync(settled.OrderId, cancellationToken);
        }
        catch (StreamDecodeException)
        {
            (order, events) = (await orders.FindAsync(settled.OrderId, cancellationToken), null);
        }
        return order is null ? null : new ExportedOrder(settled.Cursor.ToString(keys.PartitionCount), order.OrderId, order.Status,
            order.UserId, order.Email, order.Total, order.Lines, order.PlacedAt,
            events is null ? null : [.. events.Select(e => JsonElement.Parse(e.ToJson()))]);
    }

    private static ValidationProblem Invalid(string name, OrderKeys keys)
        => InvalidInput.Of(name, $"A cursor has the form {SettledCursor.FormOf(keys.PartitionCount)}.");
}
