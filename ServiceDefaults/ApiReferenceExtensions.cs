using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Scalar.AspNetCore;

namespace AspireRedis.ServiceDefaults;

/// <summary>The description of an API, for programs and for people.</summary>
public static class ApiReferenceExtensions
{
    /// <summary>
    /// Maps <c>/openapi/v1.json</c> and, in Development, <c>/scalar</c>: a page to read it and to send requests. It loads nothing from
    /// elsewhere.
    /// </summary>
    public static WebApplication MapApiReference(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapOpenApi();
        if (app.Environment.IsDevelopment())
        {
            app.MapScalarApiReference(options => options.WithTitle(app.Environment.ApplicationName)
                .DisableDefaultFonts().DisableAgent().DisableMcp().DisableTelemetry());
        }
        return app;
    }
}
