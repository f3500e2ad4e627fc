using System.Globalization;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Client;

/// <summary>What an agent does. One that waits for its turn is healthy; degraded when a person has to look after something.</summary>
internal sealed class RegionAgentHealthCheck(RegionAgent agent, RegionOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object>
        {
            ["region"] = options.Name,
            ["working"] = agent.IsWorking ? "true" : "false",
            ["active"] = agent.IsActive ? "true" : "false",
        };
        if (agent.LagBytes is { } bytes)
        {
            data["lagBytes"] = bytes.ToString(CultureInfo.InvariantCulture);
        }
        if (agent.Lag is { } lag)
        {
            data["lagSeconds"] = lag.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
        }
        return Task.FromResult(agent.Attention is { } attention ? HealthCheckResult.Degraded(attention, data: data)
            : HealthCheckResult.Healthy(
                !agent.IsWorking ? $"Another agent works for {options.Name}, or none can."
                : agent.IsActive ? $"{options.Name} is active." : $"{options.Name} is a standby.", data));
    }
}
