using System.Diagnostics;
using System.Text.RegularExpressions;
using AspireRedis.Benchmarks.Availability;
using AspireRedis.Contracts;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>
/// An order through the real services, from POST to its mail, against the least that it could cost (<see cref="FloorService"/>)
/// in the same minutes.
/// </summary>
/// <param name="partitions">Into how many partitions the shop divides its keys.</param>
internal sealed partial class OrdersSuite(int partitions) : ISuite
{
    private const int Products = 20;
    private const int Customers = 16;

    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);

    public string Name => "orders";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        List<Measurement> measurements = [];
        Console.WriteLine($"  level Replica, {partitions} partitions");
        await using (var system = await OrderSystem.StartAsync(this, "Replica", partitions))
        {
            await MeasureAsync(system, quick, measurements);
        }
        if (!quick)
        {
            Console.WriteLine("  level Memory");
            await using var system = await OrderSystem.StartAsync(this, "Memory", partitions);
            await system.AddProductsAsync(0, Products);
            await Round.RunAsync(1, TimeSpan.FromSeconds(5), _ => system.OrderAsync(system.Ours, 0));
            var times = await Round.RunAsync(1, TimeSpan.FromSeconds(10), _ => system.OrderAsync(system.Ours, 0));
            measurements.Add(new("orders.memory.c1.p50", Statistics.Median(times), "ms", ""));
        }
        return new SuiteResult(measurements);
    }

    public Task WorkAsync(string[] arguments)
        => arguments is [FloorService.Verb, var url, var redis, .. var next]
            ? FloorService.RunAsync(url, redis, next.FirstOrDefault())
            : arguments is [TelemetrySink.Verb, var sink] ? TelemetrySink.RunAsync(sink)
            : throw new ArgumentException("floor URL REDIS [NEXT] | telemetry-sink URL", nameof(arguments));

    private static async Task MeasureAsync(OrderSystem system, bool quick, List<Measurement> measurements)
    {
        var round = TimeSpan.FromSeconds(quick ? 3 : 8);
        var next = 0;
        await system.AddProductsAsync(0, 1000);
        Task OursAsync(int customer) => system.OrderAsync(system.Ours, Interlocked.Increment(ref next) % Products);
        Task FloorAsync(int customer) => system.OrderAsync(system.Floor, Interlocked.Increment(ref next) % Products);
        Task TwoHopsAsync(int customer) => system.OrderAsync(system.TwoHops, Interlocked.Increment(ref next) % Products);

        Console.WriteLine("  warming up");
        foreach (var customers in (int[])[1, Customers])
        {
            await Round.RunAsync(customers, round, OursAsync);
            await Round.RunAsync(customers, round, FloorAsync);
            await Round.RunAsync(customers, round, TwoHopsAsync);
        }

        var (single, hops, rounds) = (new List<double>(), new List<double>(), quick ? 3 : 5);
        var ratios = new List<double>();
        for (var i = 0; i < rounds; i++)
        {
            var floor = await Round.RunAsync(1, round, FloorAsync);
            var two = await Round.RunAsync(1, round, TwoHopsAsync);
            var ours = await Round.RunAsync(1, round, OursAsync);
            ratios.Add(Statistics.Median(ours) / Statistics.Median(two));
            single.AddRange(ours);
            hops.AddRange(two);
            Console.WriteLine($"  1 customer: p50 {Statistics.Median(ours):0.00} ms, p99 {Statistics.Percentile(ours, 0.99):0.0} ms; "
                + $"two hops {Statistics.Median(two):0.00} ms, floor {Statistics.Median(floor):0.00} ms");
        }
        measurements.Add(new("orders.c1.p50.ratio", Statistics.Median(ratios), "1", "at most 2.5"));
        measurements.Add(new("orders.c1.p50", Statistics.Median(single), "ms", ""));
        measurements.Add(new("orders.c1.p99", Statistics.Percentile(single, 0.99), "ms", ""));

        var (throughput, perSecond) = (new List<double>(), new List<double>());
        var serviceCpu = new Dictionary<string, List<double>>();
        var (cpu, commands, bytes) = (new List<double>(), new List<double>(), new List<double>());
        for (var i = 0; i < rounds; i++)
        {
            var two = await Round.RunAsync(Customers, round, TwoHopsAsync);
            var (mails, before, services) = (system.Mails(), await OrderCosts.ReadAsync(system.Server), system.ServiceCosts());
            var began = Stopwatch.GetTimestamp();
            var ours = await Round.RunAsync(Customers, round, OursAsync);
            var placed = Stopwatch.GetElapsedTime(began);
            await system.WaitUntilMailedAsync(mails, ours.Count, s_bound);
            var mailed = Stopwatch.GetElapsedTime(began);
            var after = await OrderCosts.ReadAsync(system.Server);
            throughput.Add(ours.Count / mailed.TotalSeconds / (two.Count / round.TotalSeconds));
            perSecond.Add(ours.Count / mailed.TotalSeconds);
            cpu.Add((after.Cpu - before.Cpu) / ours.Count * 1e6);
            commands.Add((after.Commands - before.Commands) / (double)ours.Count);
            bytes.Add((after.Memory - before.Memory) / (double)ours.Count);
            Console.WriteLine($"  {Customers} customers: {ours.Count / placed.TotalSeconds:0}/s placed, {perSecond[^1]:0}/s until mailed, "
                + $"p50 {Statistics.Median(ours):0.0} ms; two hops {two.Count / round.TotalSeconds:0}/s; "
                + $"{cpu[^1]:0} us, {commands[^1]:0.0} commands, {bytes[^1]:0} bytes");
            foreach (var ((name, now), (_, then)) in system.ServiceCosts().Zip(services))
            {
                serviceCpu[name] = [.. serviceCpu.GetValueOrDefault(name, []), (now - then) / ours.Count * 1e6];
            }
            if (i == 0)
            {
                Console.WriteLine($"    {after.Profile(before, ours.Count)}");
            }
        }
        measurements.Add(new("orders.c16.throughput.ratio", Statistics.Median(throughput), "1", "at least 0.4"));
        measurements.Add(new("orders.c16.throughput", Statistics.Median(perSecond), "1/s", ""));
        measurements.Add(new("orders.redis_cpu.us", Statistics.Median(cpu), "us", "at most 150"));
        measurements.AddRange(serviceCpu.Select(s => new Measurement($"orders.cpu.{s.Key.ToLowerInvariant()}.us", Statistics.Median(s.Value), "us", "")));
        measurements.Add(new("orders.redis_commands", Statistics.Median(commands), "1", "at most 45"));
        measurements.Add(new("orders.redis_bytes", Statistics.Median(bytes), "B", "at most 1300"));
        measurements.Add(new("orders.redis_bytes.kept", await KeptAsync(system.Database, system.Server, system.Partitions), "B", "at most 700"));

        // An open loop: an order is sent when it is due, whether the earlier ones were answered or not.
        await using (var load = WriteLoad.Start((int)(Statistics.Median(perSecond) / 2), OursAsync))
        {
            await Task.Delay(round + round);
            await load.StopAsync();
            var times = load.Samples.Select(s => s.Milliseconds).ToArray();
            measurements.Add(new("orders.half_load.p50", Statistics.Median(times), "ms", ""));
            measurements.Add(new("orders.half_load.p99.ratio", Statistics.Percentile(times, 0.99) / Statistics.Median(times), "1", "at most 4"));
        }

        foreach (var lines in (int[])[3, 10])
        {
            var times = await Round.RunAsync(1, round, _ => system.OrderAsync(system.Ours,
                [.. Enumerable.Range(Interlocked.Add(ref next, lines), lines).Select(n => n % Products)]));
            measurements.Add(new($"orders.lines{lines}.p50", Statistics.Median(times), "ms", ""));
        }
        foreach (var (name, products) in ((string, int)[])[("hot", 1), ("wide", 1000)])
        {
            var times = await Round.RunAsync(Customers, round, _ => system.OrderAsync(system.Ours,
                Interlocked.Increment(ref next) % products));
            measurements.Add(new($"orders.c16.{name}", times.Count / round.TotalSeconds, "1/s", ""));
        }

        var first = new List<double>();
        for (var i = 0; i < rounds; i++)
        {
            await system.StartServicesAsync();
            var began = Stopwatch.GetTimestamp();
            await OursAsync(0);
            first.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            Console.WriteLine($"  the first order after a start: {first[^1]:0} ms");
        }
        measurements.Add(new("orders.first.ratio", Statistics.Median(first) / Statistics.Median(single), "1", "at most 5"));

        // With the exporter and without, in the same minutes.
        var exported = new Dictionary<string, List<double>>();
        for (var i = 0; i < 2; i++)
        {
            foreach (var (name, telemetry) in ((string, bool)[])[("off", false), ("on", true)])
            {
                await system.StartServicesAsync(telemetry);
                await Round.RunAsync(Customers, round, OursAsync);
                Add($"c1.p50 {name}", Statistics.Median(await Round.RunAsync(1, round, OursAsync)));
                var (before, mails, began) = (system.ServiceCosts().Sum(s => s.Seconds), system.Mails(), Stopwatch.GetTimestamp());
                var orders = (await Round.RunAsync(Customers, round, OursAsync)).Count;
                await system.WaitUntilMailedAsync(mails, orders, s_bound);
                Add($"c16 {name}", orders / Stopwatch.GetElapsedTime(began).TotalSeconds);
                Add($"cpu {name}", (system.ServiceCosts().Sum(s => s.Seconds) - before) / orders);
            }
        }
        measurements.Add(new("orders.telemetry.c1.p50.ratio", Exported("c1.p50"), "1", ""));
        measurements.Add(new("orders.telemetry.c16.throughput.ratio", Exported("c16"), "1", ""));
        measurements.Add(new("orders.telemetry.cpu.ratio", Exported("cpu"), "1", ""));
        await system.StartServicesAsync();

        await Round.RunAsync(Customers, round, OursAsync);
        var few = Statistics.Median(await Round.RunAsync(1, round, WideAsync(1000)));
        foreach (var products in quick ? (int[])[1_000_000] : [100_000, 1_000_000])
        {
            await system.AddProductsAsync(1000, products - 1000);
            var many = Statistics.Median(await Round.RunAsync(1, round, WideAsync(products)));
            measurements.Add(new($"orders.growth.1e{Math.Log10(products):0}", many / few, "1", products == 1_000_000 ? "at most 1.2" : ""));
        }

        void Add(string name, double value) => exported[name] = [.. exported.GetValueOrDefault(name, []), value];

        double Exported(string name) => Statistics.Median(exported[$"{name} on"]) / Statistics.Median(exported[$"{name} off"]);

        Func<int, Task> WideAsync(int products) => _ => system.OrderAsync(system.Ours, Random.Shared.Next(products));
    }

    /// <summary>
    /// Bytes of an order once its events are trimmed and its records have expired: its own keys that do not expire, and its share of the
    /// lists of orders. Prints what each kind of key takes.
    /// </summary>
    private static async Task<double> KeptAsync(IDatabase database, IServer server, ShopPartitions partitions)
    {
        const int Sample = 200;
        const int IdLength = 32;
        var orders = new HashSet<string>(Sample);
        await foreach (var key in server.KeysAsync(pattern: "order:{*", pageSize: 1000))
        {
            if (((string)key!).Split(':', '{', '}')[^(partitions.Count == 1 ? 2 : 1)] is { Length: IdLength } id && orders.Count < Sample)
            {
                orders.Add(id);
            }
        }
        var kept = 0L;
        var kinds = new Dictionary<string, long>();
        await foreach (var key in server.KeysAsync(pattern: "*", pageSize: 1000))
        {
            if (Array.Find(((string)key!).Split(':', '{', '}', '-'), orders.Contains) is not { } order)
            {
                continue;
            }
            var bytes = (long)await database.ExecuteAsync("MEMORY", "USAGE", key);
            var expires = await database.KeyTimeToLiveAsync(key) is not null;
            kept += expires ? 0 : bytes;
            var kind = ProductName().Replace(((string)key!).Replace(order, "ID", StringComparison.Ordinal), "SKU") + (expires ? " (expires)" : "");
            kinds[kind] = kinds.GetValueOrDefault(kind) + bytes;
        }
        const string Settled = "orders:settled";
        const string OfCustomer = "customer:alice:orders";
        await ShareAsync(partitions.OrderPlaced.Key, number => partitions.OrderPlaced.Partition(number).Key);
        await ShareAsync(partitions.Email.Key, number => partitions.Email.Partition(number).Key);
        await ShareAsync(Settled, number => ShopPartitions.KeyIn(Settled, partitions.Orders, number));
        await ShareAsync(OfCustomer,
            number => partitions.Count == 1 ? "customer:{alice}:orders" : $"customer:{partitions.Orders.TagOf(number)}:alice:orders");
        kept += kinds[Settled] + kinds[OfCustomer];
        Console.WriteLine($"  bytes of an order: {string.Join(", ", kinds.OrderByDescending(k => k.Value).Select(k => $"{k.Key} {k.Value / Sample}"))}");
        return kept / (double)Sample;

        async Task ShareAsync(string kind, Func<int, string> keyOf)
        {
            var (bytes, entries) = (0L, 0L);
            for (var number = 0; number < partitions.Count; number++)
            {
                var key = keyOf(number);
                bytes += (long?)await database.ExecuteAsync("MEMORY", "USAGE", key, "SAMPLES", "0") ?? 0;
                entries += await database.KeyTypeAsync(key) == RedisType.List ? await database.ListLengthAsync(key)
                    : await database.StreamLengthAsync(key);
            }
            kinds[kind] = bytes * Sample / entries;
        }
    }

    [GeneratedRegex(@"P-\d+")]
    private static partial Regex ProductName();
}
