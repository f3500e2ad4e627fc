using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Comes after the framework's writer, which declines when the request accepts no JSON: a problem in a format that was
/// not asked for helps more than an empty body.
/// </summary>
internal sealed class AnyAcceptProblemDetailsWriter(IOptions<ProblemDetailsOptions> options) : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        context.ProblemDetails.Status ??= context.HttpContext.Response.StatusCode;
        // Its constructor fills in what is missing of title and type, as the framework's writer does.
        _ = TypedResults.Problem(context.ProblemDetails);
        options.Value.CustomizeProblemDetails?.Invoke(context);
        await context.HttpContext.Response.WriteAsJsonAsync(
            context.ProblemDetails, context.ProblemDetails.GetType(), options: null, "application/problem+json", context.HttpContext.RequestAborted);
    }
}
