using System.Globalization;
using System.Net;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Regions;
using AspireRedis.Hosting.Commands;
using AspireRedis.Hosting.Resources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Hosting.Regions;

/// <summary>
/// What is done to regions: <c>status</c>, <c>switch</c>, <c>promote</c>, <c>failback</c>, <c>cut-link</c>, <c>heal-link</c>.
/// </summary>
internal static class RegionCommands
{
    private const string AcceptLoss = "accept-loss";
    private const string LostWrites = "file";

    public static void AddTo(IResourceBuilder<RedisRegionsResource> builder)
    {
        var regions = builder.Resource;
        builder
            .WithCommand("status", "Status", context => RunAsync(async () => await StatusAsync(regions, context)), new CommandOptions
            {
                Description = "Who is active, under which epoch, and how far the standby is behind.",
                IconName = "Info",
                IsHighlighted = true,
                UpdateState = context => CommandState.When(!Shows(context, RegionProperty.Active, null)),
            })
            .WithCommand("switch", "Planned switch", context => RunAsync(async () => await SwitchAsync(regions, context)), new CommandOptions
            {
                Description = "Hands over to the standby: nothing is lost, writes are held up for a moment.",
                IconName = "ArrowSwap",
                UpdateState = context => CommandState.When(CommandState.Is(context, RegionProperty.CanSwitch)),
            })
            .WithCommand("promote", "Promote", context => RunAsync(async () => await PromoteAsync(regions, context)), new CommandOptions
            {
                Description = "Makes the standby the active region after the loss of the active one, when its lease is over.",
                IconName = "ArrowUp",
                ConfirmationMessage = "Promote the standby? What was acknowledged and had not arrived there is lost, unless the other region comes back.",
                Arguments =
                [
                    new InteractionInput
                    {
                        Name = AcceptLoss, Label = "Although it was not in sync", InputType = InputType.Boolean, Value = "false",
                    },
                ],
                // While somebody holds the lease it would be refused.
                UpdateState = context => CommandState.When(Shows(context, RegionProperty.Holder, "none")
                    && !Shows(context, RegionProperty.Active, "none")),
            })
            .WithCommand("failback", "Fail back", context => RunAsync(async () => await FailBackAsync(regions, context)), new CommandOptions
            {
                Description = "Makes a region that was lost and is back a standby; what only it has written goes to a file first.",
                IconName = "ArrowUndo",
                ConfirmationMessage = "Overwrite the region that was lost? What only it has is in the file then, and nowhere else.",
                Arguments =
                [
                    new InteractionInput
                    {
                        Name = LostWrites, Label = "File for what only it has", InputType = InputType.Text, Required = false,
                        Placeholder = "beside the AppHost when empty",
                    },
                ],
                UpdateState = context => CommandState.When(CommandState.Is(context, RegionProperty.CanFailBack)),
            })
            .WithCommand("cut-link", "Cut link", context => SetLinkAsync(regions, context, isCut: true), new CommandOptions
            {
                Description = "Nothing passes between the regions any more.",
                IconName = "PlugDisconnected",
                UpdateState = context => CommandState.When(!CommandState.Is(context, RegionProperty.LinkCut)
                    && !Shows(context, RegionProperty.Active, null)),
            })
            .WithCommand("heal-link", "Heal link", context => SetLinkAsync(regions, context, isCut: false), new CommandOptions
            {
                Description = "What has waited passes.",
                IconName = "PlugConnected",
                UpdateState = context => CommandState.When(CommandState.Is(context, RegionProperty.LinkCut)),
            });
    }

    private static async Task<ExecuteCommandResult> StatusAsync(RedisRegionsResource regions, ExecuteCommandContext context)
    {
        await using var looking = new RegionOperator(regions.OptionsFor(regions.ActiveRegion, linked: false));
        var status = await looking.StatusAsync(context.CancellationToken);
        var table = new StringBuilder("| region | is | primary or head | servers | in sync | lag |\n|---|---|---|---:|---|---:|\n");
        foreach (var region in status.Regions)
        {
            table.Append(CultureInfo.InvariantCulture,
                $"| {region.Name} | {(region.IsActive ? "active" : "standby")} | {region.Head ?? "none"} | {region.ServersReached} of {region.Servers} | ")
                .Append(CultureInfo.InvariantCulture,
                    $"{(region.IsActive ? "" : region.IsInSync ? "yes" : "no")} | {(region.LagBytes is { } lag ? $"{lag} bytes" : "")} |\n");
        }
        var summary = string.Create(CultureInfo.InvariantCulture,
            $"{status.ActiveRegion ?? "No region"} is active, epoch {status.Epoch}; {status.LeaseHolder ?? "nobody"} holds the lease; {status.WitnessesReady} of {status.Witnesses} witnesses.");
        return CommandResults.Success(summary, $"{summary}\n\n{table}", CommandResultFormat.Markdown, displayImmediately: true);
    }

    private static async Task<ExecuteCommandResult> SwitchAsync(RedisRegionsResource regions, ExecuteCommandContext context)
    {
        var standby = await StandbyAsync(regions, context);
        await using var operation = Within(standby, regions, context);
        var result = await operation.SwitchAsync(standby, context.CancellationToken);
        return CommandResults.Success(string.Create(CultureInfo.InvariantCulture,
            $"{result.Region} is the active region, epoch {result.Epoch}; writes were held up for {result.Held.TotalMilliseconds:0} ms."));
    }

    private static async Task<string> StandbyAsync(RedisRegionsResource regions, ExecuteCommandContext context)
    {
        await using var looking = new RegionOperator(regions.OptionsFor(regions.ActiveRegion, linked: false));
        return (await looking.StatusAsync(context.CancellationToken)).Regions.First(r => !r.IsActive).Name;
    }

    /// <summary>From within a region: the other one and the line to it may be what is lost.</summary>
    private static RegionOperator Within(string region, RedisRegionsResource regions, ExecuteCommandContext context)
        => new(regions.OptionsFor(region, linked: true),
            logger: context.Services.GetRequiredService<ILoggerFactory>().CreateLogger<RegionOperator>());

    private static async Task<ExecuteCommandResult> PromoteAsync(RedisRegionsResource regions, ExecuteCommandContext context)
    {
        var standby = await StandbyAsync(regions, context);
        await using var operation = Within(standby, regions, context);
        var result = await operation.PromoteAsync(standby,
            context.Arguments.TryGetByName(AcceptLoss, out var accept) && string.Equals(accept.Value, "true", StringComparison.OrdinalIgnoreCase),
            context.CancellationToken);
        return CommandResults.Success(string.Create(CultureInfo.InvariantCulture,
            $"{result.Region} is the active region, epoch {result.Epoch}: {EndPointCollection.ToString(result.Primary)} accepts writes after {result.Duration.TotalMilliseconds:0} ms."));
    }

    private static async Task<ExecuteCommandResult> FailBackAsync(RedisRegionsResource regions, ExecuteCommandContext context)
    {
        var lost = await StandbyAsync(regions, context);
        var file = context.Arguments.TryGetByName(LostWrites, out var named) && !string.IsNullOrWhiteSpace(named.Value) ? named.Value
            // One for each: none is overwritten.
            : Path.Combine(context.Services.GetRequiredService<IHostEnvironment>().ContentRootPath,
                string.Create(CultureInfo.InvariantCulture, $"lost-writes-{lost}-{DateTime.UtcNow:yyyyMMdd-HHmmss}.ndjson"));
        await using var operation = Within(lost, regions, context);
        var copy = Directory.CreateTempSubdirectory("aspireredis-aof-").FullName;
        try
        {
            var result = await operation.FailbackAsync(lost, file, FilesAsync, context.CancellationToken);
            return CommandResults.Success(string.Create(CultureInfo.InvariantCulture,
                $"{result.Region} is a standby again; {result.Writes} writes that only it had are in {result.File}."));
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }

        Task<string> FilesAsync(EndPoint server, string directory, CancellationToken cancellationToken)
        {
            var deployment = lost == regions.ActiveRegion ? regions.Active : regions.Standby;
            var node = deployment.Nodes.First(n => $"{deployment.NodeOf(n).Address}" == EndPointCollection.ToString(server));
            return deployment.Runtime.FilesAsync(deployment.States.InstanceOf(node) ?? "", directory, copy, cancellationToken);
        }
    }

    private static async Task<ExecuteCommandResult> SetLinkAsync(RedisRegionsResource regions, ExecuteCommandContext context, bool isCut)
    {
        if (isCut)
        {
            regions.Link.Cut();
        }
        else
        {
            regions.Link.Heal();
        }
        // At once, lest the command that undoes it appears a second later.
        await context.Services.GetRequiredService<ResourceNotificationService>().PublishUpdateAsync(regions, s => s with
        {
            Properties = [.. s.Properties.Where(p => p.Name != RegionProperty.LinkCut),
                ShownProperty.Flag(RegionProperty.LinkCut, "Link cut", isCut)],
        });
        return CommandResults.Success(isCut ? "The link is cut." : "The link is whole.");
    }

    private static async Task<ExecuteCommandResult> RunAsync(Func<Task<ExecuteCommandResult>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception e) when (e is RegionException or InvalidOperationException or TimeoutException)
        {
            return CommandResults.Failure(e);
        }
    }

    /// <param name="context">The resource.</param>
    /// <param name="property">What it shows.</param>
    /// <param name="value">Null when it does not show it at all.</param>
    private static bool Shows(UpdateCommandStateContext context, string property, string? value)
        => context.ResourceSnapshot.Properties.FirstOrDefault(p => p.Name == property)?.Value as string == value;
}
