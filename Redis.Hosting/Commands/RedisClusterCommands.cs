using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Commands;

/// <summary>
/// What is done to shards of a cluster: <c>crash-primary</c>, <c>switchover</c>, <c>move-slots</c>, <c>add-shard</c>, <c>remove-shard</c>.
/// </summary>
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
            })
            .WithCommand("add-shard", "Add shard", context => RunAsync(() => AddShardAsync(cluster, context)), new CommandOptions
            {
                Description = "Gives a shard without slots its share of those of all others, with their keys, while services go on.",
                IconName = "Add",
                UpdateState = context => CommandState.When(CommandState.IsRunning(context)),
            })
            .WithCommand("remove-shard", "Remove shard", context => RunAsync(() => RemoveShardAsync(cluster, context)), new CommandOptions
            {
                Description = "Divides the slots of a shard among the others, with their keys, while services go on. Its nodes can then be stopped.",
                IconName = "Subtract",
                ConfirmationMessage = "Move all slots of the shard to the others?",
                Arguments = [Number(Shard, "Shard", "3")],
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
            var most = input.Name == Count ? RedisClusterTopology.SlotCount : cluster.Shards;
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
        var ((from, slots), (to, _)) = (await PrimaryAsync(cluster, context, From), await PrimaryAsync(cluster, context, To));
        if (from == to)
        {
            return CommandResults.Failure($"{from.Name} has them already.");
        }
        var moved = await MoveAsync(cluster, context, Each(slots).Take(NumberOf(context, Count)).Select(slot => (slot, from, to)));
        return CommandResults.Success(string.Create(
            CultureInfo.InvariantCulture, $"{moved} slots moved from {cluster.ResourceOf(from).Name} to {cluster.ResourceOf(to).Name}."));
    }

    private static async Task<ExecuteCommandResult> AddShardAsync(RedisClusterResource cluster, ExecuteCommandContext context)
    {
        var shards = await ShardsAsync(cluster, context);
        var (to, _) = shards.FirstOrDefault(s => s.Slots.Count == 0);
        if (to is null)
        {
            return CommandResults.Failure("Every shard has slots. Start the application with more: WithSpareShards.");
        }
        var serving = shards.Where(s => s.Slots.Count > 0).ToList();
        var share = RedisClusterTopology.SlotCount / (serving.Count + 1);
        // From each what it has too much, by turns: a move that is cut short leaves them alike.
        var moves = serving.SelectMany(s => Each(s.Slots).Skip(share).Select((slot, turn) => (Turn: turn, Move: (slot, s.Primary, to))))
            .OrderBy(m => m.Turn).Select(m => m.Move).Take(share);
        var moved = await MoveAsync(cluster, context, moves);
        return CommandResults.Success(string.Create(CultureInfo.InvariantCulture, $"{moved} slots moved to {cluster.ResourceOf(to).Name}."));
    }

    private static async Task<ExecuteCommandResult> RemoveShardAsync(RedisClusterResource cluster, ExecuteCommandContext context)
    {
        const int Fewest = 3;
        var (from, slots) = await PrimaryAsync(cluster, context, Shard);
        var others = (await ShardsAsync(cluster, context)).Where(s => s.Primary != from && s.Slots.Count > 0).Select(s => s.Primary)
            .ToList();
        if (slots.Count == 0 || others.Count < Fewest)
        {
            return CommandResults.Failure(slots.Count == 0 ? $"{from.Name} has no slots."
                : "Three primaries with slots must be left: a majority of them elects a new one.");
        }
        var moved = await MoveAsync(cluster, context, Each(slots).Select((slot, turn) => (slot, from, others[turn % others.Count])));
        return CommandResults.Success(string.Create(CultureInfo.InvariantCulture,
            $"{moved} slots moved from {cluster.ResourceOf(from).Name} to {others.Count} others; its shard serves nothing any more."));
    }

    private static Task<int> MoveAsync(
        RedisClusterResource cluster, ExecuteCommandContext context, IEnumerable<(int Slot, RedisNode From, RedisNode To)> moves)
        => cluster.Control.MoveSlotsAsync(moves, moved => context.Logger.LogInformation("{Moved} slots moved.", moved),
            context.CancellationToken);

    private static IEnumerable<int> Each(IEnumerable<RedisSlotRange> slots) => slots.SelectMany(r => Enumerable.Range(r.First, r.Count));

    /// <summary>The primaries of the moment of all shards, and their slots.</summary>
    /// <exception cref="InvalidOperationException">A shard does not answer.</exception>
    private static async Task<IReadOnlyList<(RedisNode Primary, IReadOnlyList<RedisSlotRange> Slots)>> ShardsAsync(
        RedisClusterResource cluster, ExecuteCommandContext context)
    {
        var reports = await cluster.NodeProbe.ReportAsync(context.CancellationToken);
        return [.. Enumerable.Range(1, cluster.Shards).Select(number => PrimaryOf(number, reports))];
    }

    /// <summary>The primary of the moment of the shard that an argument names, and its slots.</summary>
    /// <exception cref="InvalidOperationException">None answers.</exception>
    private static async Task<(RedisNode Primary, IReadOnlyList<RedisSlotRange> Slots)> PrimaryAsync(
        RedisClusterResource cluster, ExecuteCommandContext context, string argument)
        => PrimaryOf(NumberOf(context, argument), await cluster.NodeProbe.ReportAsync(context.CancellationToken));

    private static (RedisNode Primary, IReadOnlyList<RedisSlotRange> Slots) PrimaryOf(
        int number, IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
    {
        var shard = string.Create(CultureInfo.InvariantCulture, $"shard-{number}");
        return RedisClusterProbe.PrimaryOf(shard, reports) is { } primary ? (primary, reports[primary]!.Slots!)
            : throw new InvalidOperationException($"No primary of {shard} answers.");
    }

    private static int NumberOf(ExecuteCommandContext context, string argument)
        => int.Parse(context.Arguments[argument].Value!, CultureInfo.InvariantCulture);
}
