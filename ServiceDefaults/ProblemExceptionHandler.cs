using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Logging;

namespace AspireRedis.ServiceDefaults;

/// <summary>Maps exceptions to problems. Those of aborted requests do not arrive here: the framework answers with 499.</summary>
internal sealed class ProblemExceptionHandler(IProblemDetailsService problems, ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
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
            logger.LogWarning("{Method} {Path} was answered with 503: {Reason}", httpContext.Request.Method, httpContext.Request.Path, exception.Message);
        }
        return await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = httpContext,
            Exception = exception,
            ProblemDetails = new ProblemDetails { Status = status, Detail = detail },
        });
    }

    private static string Explain(BadHttpRequestException exception) => exception switch
    {
        { InnerException: JsonException json } => Explain(json),
        // The original message names parameters and services of ours.
        { StatusCode: StatusCodes.Status400BadRequest } when exception.Message.Contains("no body was provided", StringComparison.Ordinal)
            || exception.Message.Contains("not provided from body", StringComparison.Ordinal) => "A JSON body is required.",
        _ => exception.Message,
    };

    /// <summary>The exception's message contains type names; the caller needs the position in the JSON.</summary>
    private static string Explain(JsonException exception)
    {
        const string Missing = "missing required properties including: ";
        var path = exception.Path ?? "$";
        if (exception.Message.IndexOf(Missing, StringComparison.Ordinal) is >= 0 and var at)
        {
            var names = exception.Message[(at + Missing.Length)..];
            var end = names.IndexOf(". Path:", StringComparison.Ordinal);
            return $"The JSON object at {path} lacks required properties: {(end < 0 ? names.TrimEnd('.') : names[..end])}.";
        }
        return exception is { LineNumber: { } line, BytePositionInLine: { } position }
            ? string.Create(CultureInfo.InvariantCulture, $"The JSON body is not valid at {path} (line {line + 1}, byte {position + 1}).")
            : $"The JSON body is not valid at {path}.";
    }
}
