using AspireRedis.Chaos;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Regions;
using AspireRedis.Chaos.Report;
using AspireRedis.Regions.Cli;

if (args is ["region-drill", .. var drill])
{
    return await RegionDrillProgram.RunAsync(drill);
}
if (args is ["region-tool", .. var tool])
{
    // With somebody who knows what the shop stores.
    return await RegionTool.RunOnConsoleAsync(tool, StoredShop.CheckAsync);
}

ChaosOptions options;
try
{
    options = ChaosOptions.Parse(args);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"{e.Message}\n\n{ChaosOptions.Usage}");
    return 2;
}

return await KeptDirectory.RunAsync("aspire-redis-chaos-", async (directory, stopping) =>
{
    Console.WriteLine($"{options.Faults} faults, seed {options.Seed}, {(options.OnCluster ? "cluster" : "Sentinel")}, durability {options.Durability}, "
        + $"partitions {options.Partitions}; "
        + $"data and logs in {directory}");
    var result = await ChaosRun.RunAsync(
        FaultPlan.Create(options.Seed, options.Faults, options.Kinds), options.Seed, options.Rate, options.Durability,
        options.Partitions, options.OnCluster, directory, new ConsoleProgress(Console.Out, options.Faults), stopping);
    ResultTable.Write(Console.Out, result);
    if (options.Json is not null)
    {
        await ResultJson.WriteAsync(options.Json, options, result);
    }
    if (options.Plot is not null)
    {
        await Timeline.WriteAsync(options.Plot, result);
    }
    Console.WriteLine();
    Console.WriteLine(result.Violations.Count == 0
        ? $"No violation in {result.Faults.Count} faults, {result.Acknowledgements.Count} acknowledged orders."
        : $"{result.Violations.Count} violations; repeat with --seed {options.Seed}; data and logs stay in {directory}");
    return result.Violations.Count == 0;
});
