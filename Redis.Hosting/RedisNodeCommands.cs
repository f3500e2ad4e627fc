using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Processes;
using AspireRedis.Topology;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Hosting;

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
                UpdateState = context => When(IsRunning(context)),
            })
            .WithCommand("freeze", "Freeze", context => RunAsync(node, context, FreezeAsync), new CommandOptions
            {
                Description = "It keeps its connections and answers nothing, as a machine that hangs.",
                IconName = "Pause",
                UpdateState = context => When(IsRunning(context) && !Is(context, "redis.frozen")),
            })
            .WithCommand("unfreeze", "Unfreeze", context => RunAsync(node, context, UnfreezeAsync), new CommandOptions
            {
                Description = "It goes on where it was.",
                IconName = "Play",
                UpdateState = context => When(IsRunning(context) && Is(context, "redis.frozen")),
            });
        if (node.FirstRole is RedisRole.Primary or RedisRole.Replica)
        {
            builder
                .WithCommand("cut-off", "Cut off", context => RunAsync(node, context, CutOffAsync), new CommandOptions
                {
                    Description = "The replica loses its primary and is refused when it comes back; it stays a replica and falls behind.",
                    IconName = "PlugDisconnected",
                    UpdateState = context => When(IsRunning(context) && IsReplica(context) && !Is(context, "redis.cut_off") && !Is(context, "redis.frozen")),
                })
                .WithCommand("reconnect", "Reconnect", context => RunAsync(node, context, ReconnectAsync), new CommandOptions
                {
                    Description = "The replica may follow its primary again and catches up.",
                    IconName = "PlugConnected",
                    UpdateState = context => When(IsRunning(context) && Is(context, "redis.cut_off") && !Is(context, "redis.frozen")),
                });
        }
    }

    public static async Task CrashAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SignalAsync(node, instance, context, UnixSignal.Kill, "kill", "--signal", "KILL");
        await context.Services.GetRequiredService<ResourceNotificationService>().WaitForResourceAsync(
            node.Name, e => e.Snapshot.State?.Text != KnownResourceStates.Running, context.CancellationToken)
            .WaitAsync(s_bound, context.CancellationToken);
    }

    private static async Task FreezeAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SignalAsync(node, instance, context, UnixSignal.Stop, "pause");
        node.Deployment.Watcher!.Frozen(node, instance);
        await PublishAsync(node, context, "redis.frozen", "Frozen", true);
    }

    private static async Task UnfreezeAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SignalAsync(node, instance, context, UnixSignal.Continue, "unpause");
        node.Deployment.Watcher!.Thawed(node);
        await PublishAsync(node, context, "redis.frozen", "Frozen", false);
    }

    // Not REPLICAOF NO ONE, which would make it a second primary that takes writes. With a wrong password the primary refuses
    // it, whether or not the primary asks for one, and nothing else changes for either.
    private static async Task CutOffAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SendAsync(node, context, "CONFIG", "SET", "masterauth", $"cut-off-{Guid.NewGuid():N}");
        await SendAsync(node, context, "CLIENT", "KILL", "TYPE", "master");
        node.Deployment.Watcher!.CutOff(node, true);
        await PublishAsync(node, context, "redis.cut_off", "Cut off", true);
    }

    private static async Task ReconnectAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context)
    {
        await SendAsync(node, context, "CONFIG", "SET", "masterauth", node.Deployment.Topology.Options.Password ?? "");
        node.Deployment.Watcher!.CutOff(node, false);
        await PublishAsync(node, context, "redis.cut_off", "Cut off", false);
    }

    public static async Task<ExecuteCommandResult> RunAsync(
        IRedisNodeResource node, ExecuteCommandContext context, Func<IRedisNodeResource, string, ExecuteCommandContext, Task> command)
    {
        try
        {
            if (node.Deployment.Watcher?.InstanceOf(node) is not { } instance)
            {
                return CommandResults.Failure($"{node.Name} does not run.");
            }
            await command(node, instance, context);
            return CommandResults.Success();
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    public static ResourceCommandState When(bool condition) => condition ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;

    public static bool IsRunning(UpdateCommandStateContext context) => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running;

    private static bool Is(UpdateCommandStateContext context, string flag)
        => context.ResourceSnapshot.Properties.Any(p => p.Name == flag && p.Value is true);

    private static bool IsReplica(UpdateCommandStateContext context)
        => context.ResourceSnapshot.Properties.Any(p => p.Name == "redis.role" && p.Value is "replica");

    /// <summary>Sends a signal to a process, or has the engine do the same to a container.</summary>
    private static async Task SignalAsync(IRedisNodeResource node, string instance, ExecuteCommandContext context, int signal, params string[] engineCommand)
    {
        if (node.Deployment.InContainers)
        {
            var engine = ContainerEngine.Find(context.Services.GetRequiredService<IConfiguration>()) ?? throw new InvalidOperationException("No container engine answers.");
            await engine.RunAsync(context.CancellationToken, [.. engineCommand, instance]);
        }
        else if (!UnixSignal.Send(int.Parse(instance, CultureInfo.InvariantCulture), signal))
        {
            throw new InvalidOperationException($"{node.Name} has no process {instance} any more.");
        }
    }

    // At once, lest the commands that follow from it appear a second later.
    private static Task PublishAsync(IRedisNodeResource node, ExecuteCommandContext context, string flag, string display, bool value)
        => context.Services.GetRequiredService<ResourceNotificationService>().PublishUpdateAsync(node, snapshot => snapshot with
        {
            Properties = [.. snapshot.Properties.Where(p => p.Name != flag), new ResourcePropertySnapshot(flag, value) { DisplayName = display }],
        });

    private static async Task SendAsync(IRedisNodeResource node, ExecuteCommandContext context, params string[] command)
    {
        var topology = node.Deployment.Topology;
        var address = node.Deployment.ReachedAt(topology.Nodes.First(n => n.Name == node.NodeName));
        await RespConnection.OnceAsync(address, topology.Options.Password, context.CancellationToken, command);
    }
}
