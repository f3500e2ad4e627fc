using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Answers HEAD as GET: same status, same headers. The server, which keeps the method that came, sends no body.
/// </summary>
internal sealed class HeadAsGetFilter : IStartupFilter
{
    // A startup filter, so as to be in front of the routing.
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (context, handle) =>
        {
            context.Response.OnStarting(() =>
            {
                // Where GET is allowed, so is HEAD.
                if (context.Response.Headers.Allow is { Count: > 0 } allow && allow.Contains(HttpMethods.Get))
                {
                    context.Response.Headers.Append(HeaderNames.Allow, HttpMethods.Head);
                }
                return Task.CompletedTask;
            });
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                await handle(context);
                return;
            }
            context.Request.Method = HttpMethods.Get;
            HeadRequests.Mark(context);
            try
            {
                await handle(context);
            }
            finally
            {
                context.Request.Method = HttpMethods.Head;
            }
        });
        next(app);
    };
}
