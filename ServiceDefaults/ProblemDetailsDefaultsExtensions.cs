using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Coordination.Regions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.ServiceDefaults;

/// <summary>Makes every error response a problem (RFC 9457), in Development and in Production.</summary>
public static class ProblemDetailsDefaultsExtensions
{
    private const long MaxRequestBodySize = 64 * 1024;

    /// <summary>
    /// Adds the problem details, limits request bodies to 64 KiB, reads JSON strictly (no unknown or repeated members, no
    /// numbers in quotes) and answers HEAD as GET.
    /// </summary>
    public static TBuilder AddProblemDetailsDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = Customize);
        builder.Services.AddSingleton<IProblemDetailsWriter, AnyAcceptProblemDetailsWriter>();
        builder.Services.AddExceptionHandler<ProblemExceptionHandler>();
        // Otherwise a request that cannot be bound gets a 400 that does not say why.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        // The default reader of .NET 10 leaves the request body partly unread when the JSON is invalid, and Kestrel then
        // closes the connection with a warning.
        AppContext.SetSwitch("Microsoft.AspNetCore.UseStreamBasedJsonParsing", true);
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            // A member that is misspelt, given twice or in quotes is a mistake of the caller, who is to hear of it.
            options.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            options.SerializerOptions.AllowDuplicateProperties = false;
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        builder.Services.ConfigureAll<OpenApiOptions>(OpenApiDefaults.Apply);
        builder.Services.AddTransient<IStartupFilter, HeadAsGetFilter>();
        builder.Services.Configure<KestrelServerOptions>(options => options.Limits.MaxRequestBodySize = MaxRequestBodySize);
        return builder;
    }

    /// <summary>Converts exceptions and error responses without a body into problems. Call it before all other middleware.</summary>
    public static WebApplication UseProblemDetailsDefaults(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            // Only a 500 is a defect that needs a stack trace; ProblemExceptionHandler logs a 503 in one line.
            SuppressDiagnosticsCallback = context => context.HttpContext.Response.StatusCode != StatusCodes.Status500InternalServerError,
        });
        // The constructor of the result fills in title and type.
        app.UseStatusCodePages(context =>
        {
            var status = context.HttpContext.Response.StatusCode;
            return TypedResults.Problem(Explain(status), statusCode: status).ExecuteAsync(context.HttpContext);
        });
        if (app.Services.GetService<RegionMonitor>() is { } region)
        {
            app.Use(new StandbyMiddleware(region).InvokeAsync);
        }
        app.Use(JsonBodyMiddleware.InvokeAsync);
        return app;
    }

    /// <summary>What the framework does not say of the bodies that it turns away.</summary>
    internal static string? Explain(int status) => status switch
    {
        StatusCodes.Status413PayloadTooLarge => string.Create(
            CultureInfo.InvariantCulture, $"A request body may have at most {MaxRequestBodySize} bytes."),
        StatusCodes.Status415UnsupportedMediaType => "The Content-Type of the request body must be application/json.",
        _ => null,
    };

    internal static void Customize(ProblemDetailsContext context)
    {
        // The trace id alone, which is what dashboards search for.
        context.ProblemDetails.Extensions["traceId"] = Activity.Current?.TraceId.ToString() ?? context.HttpContext.TraceIdentifier;
        if (context.ProblemDetails.Status == StatusCodes.Status503ServiceUnavailable
            && context.HttpContext.Response.Headers.RetryAfter.Count == 0)
        {
            context.HttpContext.Response.Headers.RetryAfter = "1";
        }
        if (context.ProblemDetails is HttpValidationProblemDetails validation)
        {
            validation.Errors = validation.Errors.ToDictionary(error => CamelCase(error.Key), error => error.Value);
        }
    }

    /// <summary><c>Lines[0].Quantity</c> as the caller wrote it: <c>lines[0].quantity</c>.</summary>
    private static string CamelCase(string path)
        => string.Join('.', path.Split('.').Select(JsonNamingPolicy.CamelCase.ConvertName));
}
