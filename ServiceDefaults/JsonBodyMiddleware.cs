using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Answers with 415 what the framework would fail on with 500 (a charset that does not exist) or read as broken JSON (a
/// body that is compressed). Bodies are 64 KiB at most: nothing is gained by decoding compressed ones.
/// </summary>
internal static class JsonBodyMiddleware
{
    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
        => context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>() is not null && Refusal(context) is { } refusal
            ? TypedResults.Problem(refusal, statusCode: StatusCodes.Status415UnsupportedMediaType).ExecuteAsync(context)
            : next(context);

    private static string? Refusal(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (headers.ContentEncoding.SelectMany(value => (value ?? "").Split(',')).Any(coding => !IsIdentity(coding)))
        {
            // What would be taken (RFC 9110, section 15.5.16).
            context.Response.Headers.AcceptEncoding = "identity";
            return "A request body must not be compressed: send it without Content-Encoding.";
        }
        return MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) && type.Charset.HasValue
            && !IsKnown(HeaderUtilities.RemoveQuotes(type.Charset).ToString())
            ? "The charset of the Content-Type is not known: JSON is sent as UTF-8."
            : null;
    }

    private static bool IsIdentity(string coding) => coding.AsSpan().Trim().Equals("identity", StringComparison.OrdinalIgnoreCase);

    private static bool IsKnown(string charset)
    {
        try
        {
            _ = Encoding.GetEncoding(charset);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}
