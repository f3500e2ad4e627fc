using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Hosting.Resources;

namespace AspireRedis.Hosting.Commands;

/// <summary>What is done to whoever is the primary: <c>crash-primary</c>, <c>switchover</c>.</summary>
internal static class RedisSentinelCommands
{
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
            var options = await SwitchoverCommand.OptionsAsync(deployment, context.CancellationToken);
            var result = await new PlannedSwitchover(options, SwitchoverCommand.LoggerOf<PlannedSwitchover>(context))
                .RunAsync(cancellationToken: context.CancellationToken);
            return await SwitchoverCommand.SucceededAsync(
                deployment, result, (snapshot, primary) => Primary(snapshot) == primary, context);
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
