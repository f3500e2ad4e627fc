using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace AspireRedis.Client;

/// <summary>
/// Asks the current primary whether it still is the primary and accepts commands. Nothing is written. Degraded when the
/// next failure could not be handled: in a Sentinel deployment without a replica or without a quorum of Sentinels.
/// </summary>
internal sealed class RedisHealthCheck(RedisDeployment deployment, TimeProvider clock, RegionMonitor? region = null) : IHealthCheck
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        HealthCheckResult Failed(string reason, Dictionary<string, object>? data = null)
            => new(context.Registration.FailureStatus, reason, data: data);

        if (region?.Current is { } state && state.IsStandby())
        {
            // Its Sentinels monitor nothing, and nobody is connected.
            return HealthCheckResult.Healthy($"The servers of standby {state.Region} answer.");
        }
        // There is one. And not by way of its door, which would wait for a failover to end: this tells how it is now.
        var shard = deployment.Shards[0];
        IServer server;
        string node;
        try
        {
            server = shard.Server;
            node = EndPointCollection.ToString(shard.Primary);
        }
        catch (RedisConnectionException)
        {
            return Failed("No primary is connected.");
        }

        var data = new Dictionary<string, object> { ["node"] = node };
        try
        {
            // ROLE is answered in every state; PING fails on a node that accepts no commands (LOADING, MISCONF).
            var ping = server.PingAsync();
            var role = server.RoleAsync();
            var follower = shard.Follower is { Primary: not null } following ? following : null;
            var quorum = follower?.HasQuorumAsync() ?? Task.FromResult<bool?>(null);
            await Task.WhenAll(ping, role, quorum).WaitAsync(s_timeout, clock, cancellationToken);
            data["role"] = (await role).Value;
            if (await role is not Role.Master primary)
            {
                return Failed($"{node} is no longer the primary: its role is {data["role"]}.", data);
            }
            var replicas = primary.Replicas?.Count ?? 0;
            data["replicas"] = replicas;
            if (follower is null)
            {
                return HealthCheckResult.Healthy($"{node} is the primary, with {replicas} replicas.", data);
            }
            data["sentinels"] = follower.ReachableSentinels;
            data["quorum"] = await quorum == true;
            return replicas == 0 ? HealthCheckResult.Degraded($"{node} is the primary and has no replica.", data: data)
                : await quorum != true
                ? HealthCheckResult.Degraded($"{node} is the primary, but no Sentinel could start a failover (no quorum, or TILT).",
                data: data)
                : HealthCheckResult.Healthy(
                    $"{node} is the primary, with {replicas} replicas and {follower.ReachableSentinels} Sentinels.", data);
        }
        catch (RedisServerException e)
        {
            // The first word is the error code; the rest may contain details that a probe must not show.
            return Failed($"{node} answered {e.Message.Split(' ', 2)[0]}.", data);
        }
        catch (Exception e) when (e.IsOfRedis())
        {
            return Failed($"{node} did not answer within {s_timeout.TotalSeconds:0} s.", data);
        }
    }
}
