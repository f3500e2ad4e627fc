using AspireRedis.Coordination.Availability;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace AspireRedis.ServiceDefaults;

/// <summary>Asks the node that we take for the primary whether it is one and takes commands. Nothing is written.</summary>
internal sealed class RedisHealthCheck(RedisDeployment deployment, TimeProvider clock) : IHealthCheck
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        HealthCheckResult Failed(string reason, Dictionary<string, object>? data = null)
            => new(context.Registration.FailureStatus, reason, data: data);

        IServer server;
        try
        {
            server = deployment.Connection.GetServer(deployment.CurrentPrimary());
        }
        catch (RedisConnectionException)
        {
            return Failed("No primary is connected.");
        }

        var data = new Dictionary<string, object> { ["node"] = EndPointCollection.ToString(server.EndPoint) };
        try
        {
            // ROLE is answered in every state; PING tells of one that takes no commands (LOADING, MISCONF).
            var ping = server.PingAsync();
            var role = server.RoleAsync();
            await Task.WhenAll(ping, role).WaitAsync(s_timeout, clock, cancellationToken);
            data["role"] = (await role).Value;
            if (await role is not Role.Master primary)
            {
                return Failed($"{data["node"]} is not the primary any more: its role is {data["role"]}.", data);
            }
            data["replicas"] = primary.Replicas?.Count ?? 0;
            return HealthCheckResult.Healthy($"{data["node"]} is the primary, with {data["replicas"]} replicas.", data);
        }
        catch (Exception e) when (e is TimeoutException or RedisConnectionException)
        {
            return Failed($"{data["node"]} did not answer within {s_timeout.TotalSeconds:0} s.", data);
        }
        catch (RedisServerException e)
        {
            // The first word is the error code; the rest may tell more than a probe should know.
            return Failed($"{data["node"]} answered {e.Message.Split(' ', 2)[0]}.", data);
        }
    }
}
