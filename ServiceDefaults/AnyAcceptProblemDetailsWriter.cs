using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Follows the framework's writer, which writes nothing when the request does not accept JSON: a problem in an unexpected
/// format helps more than an empty body.
/// </summary>
internal sealed class AnyAcceptProblemDetailsWriter(IOptions<ProblemDetailsOptions> options) : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        context.ProblemDetails.Status ??= context.HttpContext.Response.StatusCode;
        // The constructor of the result fills in a missing title and type, as the framework's writer does.
        _ = TypedResults.Problem(context.ProblemDetails);
        options.Value.CustomizeProblemDetails?.Invoke(context);
        await context.HttpContext.Response.WriteAsJsonAsync(
            context.ProblemDetails, context.ProblemDetails.GetType(), options: null, "application/problem+json",
            context.HttpContext.RequestAborted);
    }
}
