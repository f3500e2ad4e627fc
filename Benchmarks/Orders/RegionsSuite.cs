namespace AspireRedis.Benchmarks.Orders;

/// <summary>
/// What an order costs Redis more when its services are in a region and every script checks the permission: the same services on the same
/// servers, in a region and not, round by round in turns.
/// </summary>
internal sealed class RegionsSuite : ISuite
{
    private const int Products = 20;
    private const int Customers = 16;

    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);

    public string Name => "regions";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        var (round, rounds) = (TimeSpan.FromSeconds(quick ? 4 : 10), quick ? 3 : 7);
        await using var system = await OrderSystem.StartAsync(this, "Replica", partitions: 1);
        await system.AddProductsAsync(0, Products);
        var next = 0;
        var costs = new Dictionary<bool, List<(double Cpu, double Scripts)>> { [false] = [], [true] = [] };
        for (var i = 0; i < rounds; i++)
        {
            // Each is first half of the time.
            foreach (var inRegion in i % 2 == 0 ? (bool[])[false, true] : [true, false])
            {
                await system.StartServicesAsync(inRegion: inRegion);
                await OrderAsync(round / 2);
                var before = await OrderCosts.ReadAsync(system.Server);
                var orders = await OrderAsync(round);
                var after = await OrderCosts.ReadAsync(system.Server);
                costs[inRegion].Add(((after.Cpu - before.Cpu) / orders * 1e6, (Scripts(after) - Scripts(before)) / orders));
                Console.WriteLine($"  {(inRegion ? "in a region" : "without")}: {orders} orders, {costs[inRegion][^1].Cpu:0.0} us of Redis, "
                    + $"{costs[inRegion][^1].Scripts:0.0} us of it in scripts");
            }
        }
        return new SuiteResult(
        [
            new("regions.redis_cpu.ratio", Ratio(c => c.Cpu), "1", "below 1.03"),
            new("regions.redis_cpu.us", Statistics.Median([.. costs[true].Select(c => c.Cpu)]), "us", ""),
            new("regions.scripts.ratio", Ratio(c => c.Scripts), "1", ""),
            new("regions.scripts.us", Statistics.Median([.. costs[true].Select(c => c.Scripts)]), "us", ""),
        ]);

        async Task<int> OrderAsync(TimeSpan length)
        {
            var mails = system.Mails();
            var orders = (await Round.RunAsync(Customers, length,
                _ => system.OrderAsync(system.Ours, Interlocked.Increment(ref next) % Products))).Count;
            await system.WaitUntilMailedAsync(mails, orders, s_bound);
            return orders;
        }

        // Of medians and not a median of ratios: neighbours in time are not alike enough.
        double Ratio(Func<(double Cpu, double Scripts), double> of)
            => Statistics.Median([.. costs[true].Select(of)]) / Statistics.Median([.. costs[false].Select(of)]);

        static double Scripts(OrderCosts at) => at.ByCommand.Where(c => c.Key.StartsWith("eval", StringComparison.Ordinal))
            .Sum(c => (double)c.Value.Microseconds);
    }

    public Task WorkAsync(string[] arguments) => new OrdersSuite(partitions: 1).WorkAsync(arguments);
}
