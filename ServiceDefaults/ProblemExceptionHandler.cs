using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using AspireRedis.Coordination.Regions;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Logging;

namespace AspireRedis.ServiceDefaults;

/// <summary>Maps exceptions to problems. One of an aborted request does not come here: the framework ends that with 499.</summary>
internal sealed partial class ProblemExceptionHandler(IProblemDetailsService problems, ILogger<ProblemExceptionHandler> logger)
    : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var (status, detail) = exception switch
        {
            BadHttpRequestException e => (e.StatusCode, Explain(e)),
            _ when Unavailability.Explain(exception) is { } reason => (StatusCodes.Status503ServiceUnavailable, reason),
            _ => (StatusCodes.Status500InternalServerError, "The service failed. See its log for this trace id."),
        };
        httpContext.Response.StatusCode = status;
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            // Of a standby it is expected, and counted by redis.region.rejected_writes.
            logger.Log(exception is RegionNotActiveException ? LogLevel.Debug : LogLevel.Warning, "{Method} {Path} was answered with 503: {Reason}", httpContext.Request.Method, httpContext.Request.Path,
                exception.Message);
        }
        var problem = new ProblemDetails { Status = status, Detail = detail };
        if (exception is RegionNotActiveException { ActiveRegion: { } active } refused)
        {
            // For whoever can go there.
            problem.Extensions["activeRegion"] = active;
            problem.Extensions["epoch"] = refused.Epoch;
            RegionRefusalHandler.Mark(httpContext.Response.Headers, refused);
        }
        return await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = httpContext,
            Exception = exception,
            ProblemDetails = problem,
        });
    }

    private static string Explain(BadHttpRequestException exception) => exception switch
    {
        { InnerException: JsonException json } => Explain(json),
        _ when ProblemDetailsDefaultsExtensions.Explain(exception.StatusCode) is { } known => known,
        // Speaks of parameters and services of ours.
        { StatusCode: StatusCodes.Status400BadRequest } when exception.Message.Contains("no body was provided", StringComparison.Ordinal)
            || exception.Message.Contains("not provided from body", StringComparison.Ordinal) => "A JSON body is required.",
        // "Failed to bind parameter "Nullable<int> count" from "many".": the types are ours.
        _ when ParameterPattern().Match(exception.Message) is { Success: true } match
            => $"The value of '{match.Groups[1].Value}' is not valid.",
        _ => exception.Message,
    };

    /// <summary>The exception's message contains type names; the caller needs the position in the JSON.</summary>
    private static string Explain(JsonException exception)
    {
        const string Missing = "missing required properties including: ";
        var path = exception.Path ?? "$";
        var message = exception.Message;
        if (message.IndexOf(Missing, StringComparison.Ordinal) is >= 0 and var at)
        {
            var names = message[(at + Missing.Length)..];
            var end = names.IndexOf(". Path:", StringComparison.Ordinal);
            return $"The JSON object at {path} lacks required properties: {(end < 0 ? names.TrimEnd('.') : names[..end])}.";
        }
        if (message.Contains("could not be mapped to any .NET member", StringComparison.Ordinal))
        {
            return $"The JSON body has an unknown property: {path}.";
        }
        if (message.StartsWith("Duplicate property", StringComparison.Ordinal))
        {
            return $"The JSON body has a property more than once: {path}.";
        }
        return exception is { LineNumber: { } line, BytePositionInLine: { } position }
            ? string.Create(CultureInfo.InvariantCulture, $"The JSON body is not valid at {path} (line {line + 1}, byte {position + 1}).")
            : $"The JSON body is not valid at {path}.";
    }

    [GeneratedRegex("""^Failed to bind parameter "[^"]* (\w+)" from """)]
    private static partial Regex ParameterPattern();
}
