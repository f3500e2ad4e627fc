using AspireRedis.Coordination;
using AspireRedis.Coordination.Regions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>
/// What an order costs Redis more when its services are in a region and every script checks the permission: the same services on the same
/// servers, in a region and not, round by round in turns.
/// </summary>
internal sealed class RegionsSuite : ISuite
{
    private const int Products = 20;
    private const int Customers = 16;

    private static readonly RedisScript s_exists = RedisScript.Load<RegionsSuite>("exists", repeatable: true);
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);

    public string Name => "regions";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        var (round, rounds) = (TimeSpan.FromSeconds(quick ? 4 : 10), quick ? 3 : 7);
        await using var system = await OrderSystem.StartAsync(this, "Replica", partitions: 1);
        await system.AddProductsAsync(0, Products);
        var next = 0;
        var costs = new Dictionary<bool, List<(double Cpu, double Scripts)>> { [false] = [], [true] = [] };
        var scripts = new List<double>();
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
                scripts.Add((Calls(after) - Calls(before)) / (double)orders);
                Console.WriteLine($"  {(inRegion ? "in a region" : "without")}: {orders} orders, {costs[inRegion][^1].Cpu:0.0} us of Redis, "
                    + $"{costs[inRegion][^1].Scripts:0.0} us of it in scripts");
            }
        }
        await system.StartServicesAsync(inRegion: true);
        var check = await CheckAsync(system, quick ? 5 : 15);
        return new SuiteResult(
        [
            // What it takes for certain, against what an order takes: two runs of the services differ by more than that.
            new("regions.check.us", check, "us", ""),
            new("regions.check.share", check * Statistics.Median(scripts) / Statistics.Median([.. costs[false].Select(c => c.Cpu)]), "1",
                "below 0.03"),
            new("regions.redis_cpu.ratio", Ratio(c => c.Cpu), "1", ""),
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
    }

    /// <summary>What the check costs a script, in microseconds: the same script with it and without, in turns.</summary>
    private static async Task<double> CheckAsync(OrderSystem system, int rounds)
    {
        const int CallsOfRound = 20_000;
        const int Callers = 50;
        var options = ConfigurationOptions.Parse(system.Server.EndPoint.ToString()!);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        await using var monitor = new RegionMonitor(system.Region);
        await using var plain = new RedisDeployment(() => connection, () => options);
        await using var guarded = new RedisDeployment(() => connection, () => options, monitor);
        var costs = new Dictionary<RedisDeployment, List<double>> { [plain] = [], [guarded] = [] };
        for (var i = 0; i < rounds; i++)
        {
            foreach (var deployment in i % 2 == 0 ? (RedisDeployment[])[plain, guarded] : [guarded, plain])
            {
                var before = await OrderCosts.ReadAsync(system.Server);
                await Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
                {
                    for (var call = 0; call < CallsOfRound / Callers; call++)
                    {
                        await deployment.EvaluateAsync(s_exists, ["benchmark:nothing"], []);
                    }
                }));
                var after = await OrderCosts.ReadAsync(system.Server);
                costs[deployment].Add((Scripts(after) - Scripts(before)) / (Calls(after) - Calls(before)));
            }
        }
        return Statistics.Median([.. costs[guarded]]) - Statistics.Median([.. costs[plain]]);
    }

    private static double Scripts(OrderCosts at) => Evaluated(at).Sum(c => (double)c.Microseconds);

    private static long Calls(OrderCosts at) => Evaluated(at).Sum(c => c.Calls);

    private static IEnumerable<(long Calls, long Microseconds)> Evaluated(OrderCosts at)
        => at.ByCommand.Where(c => c.Key.StartsWith("eval", StringComparison.Ordinal)).Select(c => c.Value);

    public Task WorkAsync(string[] arguments) => new OrdersSuite(partitions: 1).WorkAsync(arguments);
}
