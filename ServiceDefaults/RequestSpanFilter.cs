using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Adds what the server span of ASP.NET Core 10 lacks: the route, the status code, and a name made of method and route
/// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span). Version 11 adds them itself.
/// </summary>
internal sealed class RequestSpanFilter : IStartupFilter
{
    // A startup filter runs outside of the middleware that converts exceptions into status codes.
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (context, handle) =>
        {
            try
            {
                await handle(context);
            }
            finally
            {
                if (context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span)
                {
                    Describe(span, context);
                }
            }
        });
        next(app);
    };

    private static void Describe(Activity span, HttpContext context)
    {
        // The exception handler removes the endpoint from the context.
        var failure = context.Features.Get<IExceptionHandlerFeature>();
        var route = (failure?.Endpoint ?? context.GetEndpoint())?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route;
        var method = span.GetTagItem("http.request.method") as string ?? "_OTHER";
        var shownMethod = method == "_OTHER" ? "HTTP" : method;
        span.DisplayName = route is null ? shownMethod : $"{shownMethod} {route}";
        span.SetTag("http.route", route);

        var status = context.Response.StatusCode;
        span.SetTag("http.response.status_code", status);
        // A 4xx is an error of the caller, not of the server.
        if (status >= StatusCodes.Status500InternalServerError)
        {
            span.SetTag("error.type", failure?.Error.GetType().FullName ?? status.ToString(CultureInfo.InvariantCulture));
            span.SetStatus(ActivityStatusCode.Error);
        }
    }
}
