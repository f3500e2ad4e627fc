using System.Globalization;
using AspireRedis.Coordination.Streams;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace AspireRedis.Client;

/// <summary>A consumer group of this service and its state.</summary>
/// <param name="Stream">The key of the stream: of each partition, where the topic has several.</param>
/// <param name="Group">The name of the group.</param>
/// <param name="Lag">Entries not delivered yet; null when the server does not know.</param>
/// <param name="Pending">Entries delivered and not acknowledged.</param>
/// <param name="OldestPendingSeconds">Age of the oldest pending entry; null when there is none.</param>
/// <param name="DeadLetters">Dead letters of the stream, of all groups.</param>
internal sealed record ConsumerGroupView(string Stream, string Group, long? Lag, long Pending, double? OldestPendingSeconds,
    long DeadLetters);

/// <summary>The response to a requeue.</summary>
/// <param name="EntryId">The id of the new entry.</param>
internal sealed record Requeued(string EntryId);

/// <summary>
/// Endpoints for operators: the dead letters of the groups that this service runs. They belong behind whatever keeps
/// customers out, as <c>/health</c> does: <c>app.MapDeadLetters().RequireAuthorization("operators")</c>, or a port of its own.
/// </summary>
public static class DeadLetterEndpoints
{
    /// <summary>The <c>type</c> of the problem when the service runs no group of that stream.</summary>
    public const string UnknownStream = "urn:aspireredis:problem:unknown-stream";

    /// <summary>The <c>type</c> of the problem when there is no such dead letter of a group of this service.</summary>
    public const string UnknownDeadLetter = "urn:aspireredis:problem:unknown-dead-letter";

    /// <summary>
    /// Maps <c>GET /dead-letters</c> (the groups), <c>GET /dead-letters/{stream}?after=&amp;count=</c>,
    /// <c>GET</c> and <c>DELETE /dead-letters/{stream}/{id}</c>, and <c>POST /dead-letters/{stream}/{id}/requeue</c>. Errors
    /// are problem details (RFC 9457).
    /// </summary>
    /// <param name="routes">The application, or a group of its routes.</param>
    /// <returns>The group of these endpoints, for example for <c>RequireAuthorization()</c>.</returns>
    public static RouteGroupBuilder MapDeadLetters(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var letters = routes.MapGroup("").WithTags("Dead letters");
        letters.MapGet("/dead-letters", GroupsAsync).WithName("ListConsumerGroups").WithSummary("The consumer groups of this service.");
        letters.MapGet("/dead-letters/{stream}", ListAsync).WithName("ListDeadLetters")
            .WithSummary("Entries that could not be handled, oldest first.");
        letters.MapGet("/dead-letters/{stream}/{id}", GetAsync).WithName("GetDeadLetter").WithSummary("One dead letter.");
        letters.MapPost("/dead-letters/{stream}/{id}/requeue", RequeueAsync).WithName("RequeueDeadLetter")
            .WithSummary("Has its group try it again.");
        letters.MapDelete("/dead-letters/{stream}/{id}", DeleteAsync).WithName("DeleteDeadLetter").WithSummary("Deletes it for good.");
        return letters;
    }

    private static async Task<Ok<List<ConsumerGroupView>>> GroupsAsync(
        [FromServices] IEnumerable<ConsumerGroupRegistration> registrations, [FromServices] StreamGroups groups,
        CancellationToken cancellationToken)
    {
        List<ConsumerGroupView> views = [];
        foreach (var (stream, group) in registrations.SelectMany(r => r.Streams.Select(stream => (stream, r.Group))))
        {
            if (await groups.DescribeAsync(stream, group, cancellationToken) is { } status)
            {
                views.Add(new ConsumerGroupView(stream, group, status.Lag, status.Pending, status.OldestPendingAge?.TotalSeconds,
                    status.DeadLetters));
            }
        }
        return TypedResults.Ok(views);
    }

    private static async Task<Results<Ok<DeadLetterPage>, ValidationProblem, ProblemHttpResult>> ListAsync(
        string stream, string? after, int? count, [FromServices] IEnumerable<ConsumerGroupRegistration> registrations,
        [FromServices] DeadLetters letters,
        CancellationToken cancellationToken)
    {
        if (OwnGroups(registrations, stream) is not { Count: > 0 } own)
        {
            return NoStream(stream);
        }
        if (count is < 1 or > DeadLetters.MaxPage)
        {
            return Invalid("count", string.Create(CultureInfo.InvariantCulture, $"A page has 1 to {DeadLetters.MaxPage} dead letters."));
        }
        if (after is not null && !StreamEntryId.IsValid(after))
        {
            return Invalid("after", "An id has the form MILLISECONDS-SEQUENCE.");
        }
        // A service usually runs one group per stream. With several, the page is filtered afterwards and may be shorter.
        var page = await letters.ListAsync(stream, own.Count == 1 ? own.First() : null, after, count ?? 100, cancellationToken);
        return TypedResults.Ok(page with { Items = [.. page.Items.Where(l => own.Contains(l.Group))] });
    }

    private static async Task<Results<Ok<DeadLetter>, ProblemHttpResult>> GetAsync(
        string stream, string id, [FromServices] IEnumerable<ConsumerGroupRegistration> registrations, [FromServices] DeadLetters letters,
        CancellationToken cancellationToken)
        => await FindAsync(stream, id, registrations, letters, cancellationToken) is { } letter ? TypedResults.Ok(letter)
            : NoLetter(stream, id);

    private static async Task<Results<Ok<Requeued>, ProblemHttpResult>> RequeueAsync(
        string stream, string id, [FromServices] IEnumerable<ConsumerGroupRegistration> registrations, [FromServices] DeadLetters letters,
        CancellationToken cancellationToken)
        => await FindAsync(stream, id, registrations, letters, cancellationToken) is not null
            && await letters.RequeueAsync(stream, id, cancellationToken) is { } entryId
            ? TypedResults.Ok(new Requeued(entryId))
            : NoLetter(stream, id);

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string stream, string id, [FromServices] IEnumerable<ConsumerGroupRegistration> registrations, [FromServices] DeadLetters letters,
        CancellationToken cancellationToken)
        => await FindAsync(stream, id, registrations, letters, cancellationToken) is not null
            && await letters.DeleteAsync(stream, id, cancellationToken)
            ? TypedResults.NoContent()
            : NoLetter(stream, id);

    private static async Task<DeadLetter?> FindAsync(
        string stream, string id, IEnumerable<ConsumerGroupRegistration> registrations, DeadLetters letters,
        CancellationToken cancellationToken)
        => OwnGroups(registrations, stream) is { Count: > 0 } own && StreamEntryId.IsValid(id)
            && await letters.FindAsync(stream, id, cancellationToken) is { } letter && own.Contains(letter.Group)
            ? letter
            : null;

    private static HashSet<string> OwnGroups(IEnumerable<ConsumerGroupRegistration> registrations, string stream)
        => [.. registrations.Where(r => r.Streams.Contains(stream)).Select(r => r.Group)];

    private static ProblemHttpResult NoStream(string stream)
        => TypedResults.Problem($"This service runs no consumer group of '{stream}'.", statusCode: StatusCodes.Status404NotFound,
        title: "Unknown stream", type: UnknownStream);

    private static ProblemHttpResult NoLetter(string stream, string id)
        => TypedResults.Problem($"There is no dead letter '{id}' of '{stream}' that a group of this service could not handle.",
            statusCode: StatusCodes.Status404NotFound, title: "Unknown dead letter", type: UnknownDeadLetter);

    private static ValidationProblem Invalid(string name, string message)
        => TypedResults.ValidationProblem(new Dictionary<string, string[]> { [name] = [message] });
}
