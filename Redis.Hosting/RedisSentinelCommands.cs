using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Hosting;

/// <summary>What is done to whoever is the primary: <c>crash-primary</c>, <c>switchover</c>.</summary>
internal static class RedisSentinelCommands
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    public static void AddTo(IResourceBuilder<RedisSentinelResource> builder)
    {
        var deployment = builder.Resource;
        builder
            .WithCommand("crash-primary", "Crash primary", context => CrashPrimaryAsync(deployment, context), new CommandOptions
            {
                Description = "Ends the primary at once, as kill -9 does. Sentinels promote a replica.",
                IconName = "Flash",
                IsHighlighted = true,
                UpdateState = context => RedisNodeCommands.When(HasPrimary(context)),
            })
            .WithCommand("switchover", "Planned switchover", context => SwitchOverAsync(deployment, context), new CommandOptions
            {
                Description = "Sentinels make a replica the primary; the primary becomes a replica.",
                IconName = "ArrowSwap",
                UpdateState = context => RedisNodeCommands.When(HasPrimary(context) && deployment.Options is { Sentinels: > 0, Replicas: > 0 }),
            });
    }

    private static async Task<ExecuteCommandResult> CrashPrimaryAsync(RedisSentinelResource deployment, ExecuteCommandContext context)
    {
        try
        {
            var primary = await RedisHealthChecks.Probe(deployment).CurrentPrimaryAsync(context.CancellationToken).ConfigureAwait(false);
            var node = deployment.ResourceOf(primary);
            var result = await RedisNodeCommands.RunAsync(node, context, RedisNodeCommands.CrashAsync).ConfigureAwait(false);
            return result.Success ? CommandResults.Success($"{node.Name} is dead.") : result;
        }
        catch (InvalidOperationException e)
        {
            return CommandResults.Failure(e);
        }
    }

    private static async Task<ExecuteCommandResult> SwitchOverAsync(RedisSentinelResource deployment, ExecuteCommandContext context)
    {
        var topology = deployment.Topology;
        try
        {
            var probe = RedisHealthChecks.Probe(deployment);
            var before = await probe.CurrentPrimaryAsync(context.CancellationToken).ConfigureAwait(false);
            await RespConnection.OnceAsync(deployment.ReachedAt(topology.Sentinels[0]), topology.Options.Password, context.CancellationToken,
                "SENTINEL", "FAILOVER", topology.Options.ServiceName).ConfigureAwait(false);
            var changed = await context.Services.GetRequiredService<ResourceNotificationService>().WaitForResourceAsync(
                deployment.Name, e => Primary(e.Snapshot) is { } now && now != deployment.ResourceOf(before).Name && deployment.Nodes.Any(n => n.Name == now),
                context.CancellationToken).WaitAsync(s_bound, context.CancellationToken).ConfigureAwait(false);
            return CommandResults.Success($"{Primary(changed.Snapshot)} is the primary now.");
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    private static string? Primary(CustomResourceSnapshot snapshot) => snapshot.Properties.FirstOrDefault(p => p.Name == "redis.primary")?.Value as string;

    private static bool HasPrimary(UpdateCommandStateContext context)
        => RedisNodeCommands.IsRunning(context) && Primary(context.ResourceSnapshot) is { Length: > 0 } primary && !primary.StartsWith("none", StringComparison.Ordinal);
}
