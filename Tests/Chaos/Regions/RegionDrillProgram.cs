namespace AspireRedis.Chaos.Regions;

/// <summary><c>eng/region drill</c>.</summary>
internal static class RegionDrillProgram
{
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        RegionDrillOptions options;
        try
        {
            options = RegionDrillOptions.Parse(arguments);
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"{e.Message}\n\n{RegionDrillOptions.Usage}");
            return 2;
        }
        return await KeptDirectory.RunAsync("aspire-redis-drill-", async (directory, stopping) =>
        {
            if (options.BackupOrders > 0)
            {
                Console.Error.WriteLine($"A backup of {options.BackupOrders} orders, seed {options.Seed}; data and logs in {directory}");
                var backup = await BackupDrill.RunAsync(options, directory, Console.Error, stopping);
                await WriteAsync(options, backup.Json(), stopping);
                return backup.IsGood;
            }
            Console.Error.WriteLine($"{options.Switches} switches, {options.Promotions} losses, seed {options.Seed}, {options.Rate} customers a second; data and logs in {directory}");
            var result = await RegionDrill.RunAsync(options, directory, Console.Error, stopping);
            await WriteAsync(options, result.Json(options), stopping);
            var isGood = result.IsGoodAt(options.Durability);
            if (!isGood)
            {
                Console.Error.WriteLine($"A promise was broken; data and logs stay in {directory}");
            }
            return isGood;
        });
    }

    private static async Task WriteAsync(RegionDrillOptions options, string json, CancellationToken stopping)
    {
        Console.WriteLine(json);
        if (options.Json is not null)
        {
            await File.WriteAllTextAsync(options.Json, json, stopping);
        }
    }
}
