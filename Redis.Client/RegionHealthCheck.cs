using System.Globalization;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Client;

/// <summary>
/// Which region is active, and whether this one is. A standby is healthy: it waits. The active region is not while its permission is
/// over, and neither is one whose servers do not answer.
/// </summary>
internal sealed class RegionHealthCheck(RegionMonitor monitor) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        var state = monitor.Current;
        var data = new Dictionary<string, object>
        {
            ["region"] = monitor.Region,
            ["active"] = state?.ActiveRegion ?? "not known",
            ["epoch"] = string.Create(CultureInfo.InvariantCulture, $"{state?.Epoch ?? 0}"),
            ["acceptsWrites"] = state is { IsActive: true } ? "true" : "false",
        };
        return Task.FromResult(state switch
        {
            null or { IsReached: false, IsActive: false } => Failed($"No server of region {monitor.Region} answers."),
            { IsActive: true } => HealthCheckResult.Healthy($"Region {monitor.Region} is active.", data),
            _ when state.IsStandby() => HealthCheckResult.Healthy($"Region {monitor.Region} is a standby; {state.ActiveRegion} is active.", data),
            { ActiveRegion: null } => Failed("No region has been active yet."),
            _ => Failed($"Region {monitor.Region} was active last, and its permission to accept writes is over."),
        });

        HealthCheckResult Failed(string reason) => new(context.Registration.FailureStatus, reason, data: data);
    }
}
