using AspireRedis.Coordination.Regions;
using Microsoft.AspNetCore.Http;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Refuses, in a region that is a standby, requests that change something before they have gone half of their way: the service behind
/// this one would be asked in vain, and again. What comes through is still checked where it writes.
/// </summary>
internal sealed class StandbyMiddleware(RegionMonitor region)
{
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var method = context.Request.Method;
        if (!HttpMethods.IsGet(method) && !HttpMethods.IsHead(method) && !HttpMethods.IsOptions(method)
            && await region.CurrentForWriteAsync(context.RequestAborted)
                is { IsReached: true, IsActive: false, ActiveRegion: { } active } state
            && active != state.Region)
        {
            throw new RegionNotActiveException(state.Region, active, state.Epoch);
        }
        await next(context);
    }
}
