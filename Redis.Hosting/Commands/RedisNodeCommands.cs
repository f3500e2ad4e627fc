using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Hosting.Commands;

/// <summary>Faults on purpose, on a single node: <c>crash</c>, <c>freeze</c>, <c>unfreeze</c>, <c>cut-off</c>, <c>reconnect</c>.</summary>
internal static class RedisNodeCommands
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    public static void AddTo(IResourceBuilder<IRedisNodeResource> builder)
    {
        var node = builder.Resource;
        builder
            .WithCommand("crash", "Crash", context => RunAsync(node, context, CrashAsync), new CommandOptions
            {
                Description = "Ends it at once, as kill -9 does. Start brings it back.",
                IconName = "Flash",
                ConfirmationMessage = $"Kill {node.Name}? If it is the primary, writes fail until a replica has taken over.",
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)),
            })
            .WithCommand("freeze", "Freeze", context => RunAsync(node, context, FreezeAsync), new CommandOptions
            {
                Description = "It keeps its connections and answers nothing, as a machine that hangs.",
                IconName = "Pause",
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)
                    && !CommandState.Is(context, ShownProperty.Frozen)),
            })
            .WithCommand("unfreeze", "Unfreeze", context => RunAsync(node, context, UnfreezeAsync), new CommandOptions
            {
                Description = "It goes on where it was.",
                IconName = "Play",
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)
                    && CommandState.Is(context, ShownProperty.Frozen)),
            });
        if (node.FirstRole is RedisRole.Primary or RedisRole.Replica)
        {
            builder
                .WithCommand("cut-off", "Cut off", context => RunAsync(node, context, CutOffAsync), new CommandOptions
                {
                    Description = "The replica loses its primary and is refused when it comes back; it stays a replica and falls behind.",
                    IconName = "PlugDisconnected",
                    UpdateState = context => CommandState.When(
                        IsAnswering(context) && CommandState.Has(context, ShownProperty.Role, "replica")
                        && !CommandState.Is(context, ShownProperty.CutOff)),
                })
                .WithCommand("reconnect", "Reconnect", context => RunAsync(node, context, ReconnectAsync), new CommandOptions
                {
                    Description = "The replica may follow its primary again and catches up.",
                    IconName = "PlugConnected",
                    UpdateState = context => CommandState.When(IsAnswering(context) && CommandState.Is(context, ShownProperty.CutOff)),
                });
        }
    }

    public static async Task<string> CrashAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        var role = RoleOf(node);
        await node.Deployment.Runtime.KillAsync(instance, context.CancellationToken);
        await context.Services.GetRequiredService<ResourceNotificationService>()
            .WaitForResourceAsync(node.Name, e => !NodeStates.IsThere(e.Snapshot), context.CancellationToken)
            .WaitAsync(s_bound, context.CancellationToken);
        return $"{node.Name} was killed; it was {role}.";
    }

    /// <summary>Runs a command on the instance that a node is at the moment; the command gives a sentence that says what it did.</summary>
    public static async Task<ExecuteCommandResult> RunAsync(
        IRedisNodeResource node, ExecuteCommandContext context,
        Func<IRedisNodeResource, string, ExecuteCommandContext, Task<string>> command)
    {
        try
        {
            if (node.Deployment.States.InstanceOf(node) is not { } instance)
            {
                return CommandResults.Failure($"{node.Name} does not run.");
            }
            return CommandResults.Success(await command(node, instance, context));
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    private static async Task<string> FreezeAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await node.Deployment.Runtime.FreezeAsync(instance, context.CancellationToken);
        node.Deployment.States.Frozen(node, instance);
        await PublishAsync(node, context, ShownProperty.Flag(ShownProperty.Frozen, "Frozen", true));
        return $"{node.Name}, {RoleOf(node)}, is frozen.";
    }

    private static async Task<string> UnfreezeAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await node.Deployment.Runtime.UnfreezeAsync(instance, context.CancellationToken);
        node.Deployment.States.Unfrozen(node);
        await PublishAsync(node, context, ShownProperty.Flag(ShownProperty.Frozen, "Frozen", false));
        return $"{node.Name} goes on.";
    }

    // Not REPLICAOF NO ONE, which would make it a second primary that takes writes. With a wrong password the primary refuses
    // it, whether or not the primary asks for one, and nothing else changes for either.
    private static async Task<string> CutOffAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        // In regions it depends on whom it follows.
        var password = (object?[])(await SendAsync(node, context, "CONFIG", "GET", "masterauth"))!;
        await SendAsync(node, context, "CONFIG", "SET", "masterauth", $"cut-off-{Guid.NewGuid():N}");
        await SendAsync(node, context, "CLIENT", "KILL", "TYPE", "master");
        node.Deployment.States.CutOff(node, password is [_, string former] ? former : "");
        await PublishAsync(node, context, ShownProperty.Flag(ShownProperty.CutOff, "Cut off", true));
        return $"{node.Name} is cut off from its primary.";
    }

    private static async Task<string> ReconnectAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SendAsync(node, context, "CONFIG", "SET", "masterauth", node.Deployment.States.PasswordOf(node));
        node.Deployment.States.Reconnected(node);
        await PublishAsync(node, context, ShownProperty.Flag(ShownProperty.CutOff, "Cut off", false));
        return $"{node.Name} may follow its primary again.";
    }

    private static bool IsAnswering(UpdateCommandStateContext context) => CommandState.IsRunning(context)
        && !CommandState.Is(context, ShownProperty.Frozen);

    private static string RoleOf(IRedisNodeResource node)
        => node.Deployment.States.SnapshotOf(node)?.Properties.FirstOrDefault(p => p.Name == ShownProperty.Role)?.Value switch
        {
            "primary" => "the primary",
            string role => $"a {role}",
            _ => "of an unknown role",
        };

    // At once, lest the commands that follow from it appear a second later.
    private static Task PublishAsync(IRedisNodeResource node, ExecuteCommandContext context, ResourcePropertySnapshot flag)
        => context.Services.GetRequiredService<ResourceNotificationService>().PublishUpdateAsync(
            node, snapshot => snapshot with { Properties = [.. snapshot.Properties.Where(p => p.Name != flag.Name), flag] });

    private static async Task<object?> SendAsync(IRedisNodeResource node, ExecuteCommandContext context, params string[] command)
    {
        var deployment = node.Deployment;
        var address = deployment.ReachedAt(deployment.NodeOf(node));
        return await RespConnection.OnceAsync(address, deployment.Layout.Login, context.CancellationToken, command);
    }
}
