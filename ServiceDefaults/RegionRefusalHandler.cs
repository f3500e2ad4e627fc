using System.Globalization;
using System.Net;
using AspireRedis.Coordination.Regions;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// What another service of a standby region answers to a request that changes something is what this one has to answer, at once: it is not
/// tried again, and says where to go. The answer is marked by a header, see <see cref="Mark"/>.
/// </summary>
internal sealed class RegionRefusalHandler(RegionMonitor? region) : DelegatingHandler
{
    private const string ActiveRegion = "Active-Region";
    private const string Epoch = "Active-Region-Epoch";

    /// <summary>Marks an answer of ours.</summary>
    public static void Mark(Microsoft.AspNetCore.Http.IHeaderDictionary headers, RegionNotActiveException refusal)
    {
        if (refusal.ActiveRegion is { } active && active != refusal.Region)
        {
            headers[ActiveRegion] = active;
            headers[Epoch] = refusal.Epoch.ToString(CultureInfo.InvariantCulture);
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        if (region is null || response.StatusCode != HttpStatusCode.ServiceUnavailable
            || !response.Headers.TryGetValues(ActiveRegion, out var active))
        {
            return response;
        }
        var epoch = response.Headers.TryGetValues(Epoch, out var text)
            && long.TryParse(text.First(), CultureInfo.InvariantCulture, out var known) ? known : 0;
        response.Dispose();
        throw new RegionNotActiveException(region.Region, active.First(), epoch);
    }
}
