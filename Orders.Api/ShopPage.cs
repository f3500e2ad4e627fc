using Microsoft.Extensions.FileProviders;

namespace AspireRedis.Orders;

/// <summary>The page at <c>/</c>: the files of <c>wwwroot</c>, embedded, so that it is there wherever the service runs from.</summary>
internal static class ShopPage
{
    // Scripts and styles from files of our own and nothing else; nobody puts the page into a frame.
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>Serves the page and what belongs to it.</summary>
    public static WebApplication UseShopPage(this WebApplication app)
    {
        var files = new EmbeddedFileProvider(typeof(ShopPage).Assembly, $"{typeof(ShopPage).Namespace}.wwwroot");
        app.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        app.UseStaticFiles(new StaticFileOptions
        {
            FileProvider = files,
            OnPrepareResponse = context =>
            {
                var headers = context.Context.Response.Headers;
                headers.ContentSecurityPolicy = ContentSecurityPolicy;
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "no-referrer";
                headers["Cross-Origin-Opener-Policy"] = "same-origin";
                // With its entity tag it is asked for again each time: page and service are of one version.
                headers.CacheControl = "no-cache";
            },
        });
        return app;
    }
}
