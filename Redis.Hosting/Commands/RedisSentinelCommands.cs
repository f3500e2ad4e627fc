using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Hosting.Resources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Hosting.Commands;

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
                ConfirmationMessage = "Kill the primary? Writes fail until a replica has taken over.",
                UpdateState = context => CommandState.When(HasPrimary(context)),
            })
            .WithCommand("switchover", "Planned switchover", context => SwitchOverAsync(deployment, context), new CommandOptions
            {
                Description =
                    "A replica that has everything becomes the primary, and the primary a replica. Writes are held up meanwhile; none is lost.",
                IconName = "ArrowSwap",
                UpdateState = context => CommandState.When(HasPrimary(context) && deployment.Options is { Sentinels: > 0, Replicas: > 0 }),
            });
    }

    private static async Task<ExecuteCommandResult> CrashPrimaryAsync(RedisSentinelResource deployment, ExecuteCommandContext context)
    {
        try
        {
            var primary = await deployment.Probe.CurrentPrimaryAsync(context.CancellationToken);
            var node = deployment.ResourceOf(primary);
            return await RedisNodeCommands.RunAsync(node, context, RedisNodeCommands.CrashAsync);
        }
        catch (InvalidOperationException e)
        {
            return CommandResults.Failure(e);
        }
    }

    private static async Task<ExecuteCommandResult> SwitchOverAsync(RedisSentinelResource deployment, ExecuteCommandContext context)
    {
        try
        {
            var options =
                ConfigurationOptions.Parse((await deployment.ConnectionStringExpression.GetValueAsync(context.CancellationToken))!);
            if (deployment.Runtime.HasOwnAddresses)
            {
                EndpointMap.Parse((await new EndpointMapReference(deployment).GetValueAsync(context.CancellationToken))!).ApplyTo(options);
            }
            var switchover = new PlannedSwitchover(options,
                context.Services.GetRequiredService<ILoggerFactory>().CreateLogger<PlannedSwitchover>());
            var result = await switchover.RunAsync(cancellationToken: context.CancellationToken);
            var primary =
                deployment.ResourceOf(deployment.Topology.Nodes.First(n => n.Address.ToString() == EndPointCollection.ToString(result.To)))
                .Name;
            // The dashboard shows it too when the command returns.
            await context.Services.GetRequiredService<ResourceNotificationService>().WaitForResourceAsync(
                deployment.Name, e => Primary(e.Snapshot) == primary, context.CancellationToken)
                .WaitAsync(s_bound, context.CancellationToken);
            return CommandResults.Success(string.Create(
                CultureInfo.InvariantCulture,
                $"{primary} is the primary now; writes were held up for {result.Paused.TotalMilliseconds:0} ms."));
        }
        catch (Exception e) when (e is InvalidOperationException or SwitchoverException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    private static string? Primary(CustomResourceSnapshot snapshot)
        => snapshot.Properties.FirstOrDefault(p => p.Name == ShownProperty.Primary)?.Value as string;

    private static bool HasPrimary(UpdateCommandStateContext context)
        => CommandState.IsRunning(context) && Primary(context.ResourceSnapshot) is { Length: > 0 } primary
        && !primary.StartsWith("none", StringComparison.Ordinal);
}
