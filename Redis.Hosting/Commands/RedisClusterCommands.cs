using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Commands;

/// <summary>What is done to a shard of a cluster: <c>crash-primary</c>, <c>switchover</c>, <c>move-slots</c>.</summary>
internal static class RedisClusterCommands
{
    private const string Shard = "shard";
    private const string From = "from";
    private const string To = "to";
    private const string Count = "count";

    public static void AddTo(IResourceBuilder<RedisClusterResource> builder)
    {
        var cluster = builder.Resource;
        builder
            .WithCommand("crash-primary", "Crash primary", context => RunAsync(() => CrashPrimaryAsync(cluster, context)), new CommandOptions
            {
                Description = "Ends the primary of a shard at once, as kill -9 does. The other primaries elect its replica.",
                IconName = "Flash",
                IsHighlighted = true,
                ConfirmationMessage = "Kill the primary of the shard? Writes to it fail until its replica has taken over.",
                Arguments = [Number(Shard, "Shard", "1")],
                ValidateArguments = context => Validate(cluster, context),
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)),
            })
            .WithCommand("switchover", "Planned switchover", context => RunAsync(() => SwitchOverAsync(cluster, context)), new CommandOptions
            {
                Description = "A replica of a shard becomes its primary. Writes to that shard are held up meanwhile; none is lost.",
                IconName = "ArrowSwap",
                Arguments = [Number(Shard, "Shard", "1")],
                ValidateArguments = context => Validate(cluster, context),
                UpdateState = context => CommandState.When(CommandState.IsRunning(context) && cluster.Options.ReplicasPerPrimary > 0),
            })
            .WithCommand("move-slots", "Move slots", context => RunAsync(() => MoveSlotsAsync(cluster, context)), new CommandOptions
            {
                Description = "Moves slots with their keys from one shard to another, while services go on.",
                IconName = "ArrowRight",
                Arguments = [Number(From, "From shard", "1"), Number(To, "To shard", "2"), Number(Count, "Slots", "100")],
                ValidateArguments = context => Validate(cluster, context),
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)),
            });
    }

    private static InteractionInput Number(string name, string label, string value)
        => new() { Name = name, Label = label, InputType = InputType.Number, Required = true, Value = value };

    private static Task Validate(RedisClusterResource cluster, InputsDialogValidationContext context)
    {
        foreach (var input in context.Inputs)
        {
            var most = input.Name == Count ? RedisClusterTopology.SlotCount : cluster.Options.Primaries;
            if (!int.TryParse(input.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1 || number > most)
            {
                context.AddValidationError(input, $"{input.Label} must be a number from 1 to {most}.");
            }
        }
        return Task.CompletedTask;
    }

    private static async Task<ExecuteCommandResult> RunAsync(Func<Task<ExecuteCommandResult>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or SwitchoverException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    private static async Task<ExecuteCommandResult> CrashPrimaryAsync(RedisClusterResource cluster, ExecuteCommandContext context)
    {
        var (primary, _) = await PrimaryAsync(cluster, context, Shard);
        return await RedisNodeCommands.RunAsync(cluster.ResourceOf(primary), context, RedisNodeCommands.CrashAsync);
    }

    private static async Task<ExecuteCommandResult> SwitchOverAsync(RedisClusterResource cluster, ExecuteCommandContext context)
    {
        var (first, slots) = await PrimaryAsync(cluster, context, Shard);
        if (slots.Count == 0)
        {
            return CommandResults.Failure($"{first.Name} has no slots: nothing goes there.");
        }
        var options = await SwitchoverCommand.OptionsAsync(cluster, context.CancellationToken);
        var result = await new ClusterSwitchover(options, SwitchoverCommand.LoggerOf<ClusterSwitchover>(context)).RunAsync(
            KeySlot.AnyKey(slot => slots.Any(r => r.Contains(slot))), cancellationToken: context.CancellationToken);
        return await SwitchoverCommand.SucceededAsync(
            cluster, result,
            (snapshot, primary) => snapshot.Properties.Any(
                p => p.Value is string text && text.StartsWith($"{primary},", StringComparison.Ordinal)),
            context);
    }

    private static async Task<ExecuteCommandResult> MoveSlotsAsync(RedisClusterResource cluster, ExecuteCommandContext context)
    {
        const int Step = 100;
        var ((from, slots), (to, _)) = (await PrimaryAsync(cluster, context, From), await PrimaryAsync(cluster, context, To));
        if (from == to)
        {
            return CommandResults.Failure($"{from.Name} has them already.");
        }
        var moved = 0;
        foreach (var slot in slots.SelectMany(r => Enumerable.Range(r.First, r.Count)).Take(NumberOf(context, Count)))
        {
            await cluster.Control.MoveSlotAsync(slot, from, to, context.CancellationToken);
            if (++moved % Step == 0)
            {
                context.Logger.LogInformation("{Moved} slots moved.", moved);
            }
        }
        return CommandResults.Success(string.Create(
            CultureInfo.InvariantCulture, $"{moved} slots moved from {cluster.ResourceOf(from).Name} to {cluster.ResourceOf(to).Name}."));
    }

    /// <summary>The primary of the moment of the shard that an argument names, and its slots.</summary>
    /// <exception cref="InvalidOperationException">None answers.</exception>
    private static async Task<(RedisNode Primary, IReadOnlyList<RedisSlotRange> Slots)> PrimaryAsync(
        RedisClusterResource cluster, ExecuteCommandContext context, string argument)
    {
        var shard = string.Create(CultureInfo.InvariantCulture, $"shard-{NumberOf(context, argument)}");
        var reports = await cluster.NodeProbe.ReportAsync(context.CancellationToken);
        return RedisClusterProbe.PrimaryOf(shard, reports) is { } primary ? (primary, reports[primary]!.Slots!)
            : throw new InvalidOperationException($"No primary of {shard} answers.");
    }

    private static int NumberOf(ExecuteCommandContext context, string argument)
        => int.Parse(context.Arguments[argument].Value!, CultureInfo.InvariantCulture);
}
