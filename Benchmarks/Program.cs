using System.Globalization;
using System.Text.Json;
using AspireRedis.Benchmarks;
using AspireRedis.Benchmarks.Availability;
using AspireRedis.Benchmarks.Clusters;
using AspireRedis.Benchmarks.Glue;
using AspireRedis.Benchmarks.Locks;
using AspireRedis.Benchmarks.Orders;
using AspireRedis.Benchmarks.Streams;
using AspireRedis.Contracts;

const string Partitions = "--partitions";
var partitions = !args.Contains(Partitions) ? 1
    : int.TryParse(Option(Partitions), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
ISuite[] suites = [new LocksSuite(), new StreamsSuite(), new AvailabilitySuite(), new OrdersSuite(partitions), new GlueSuite(),
    new RegionsSuite(), new ClusterSuite()];

if (args is [Worker.Verb, var of, .. var rest])
{
    await Array.Find(suites, s => s.Name == of)!.WorkAsync(rest);
    return 0;
}
var suite = args.Length > 0 ? Array.Find(suites, s => s.Name == args[0]) : null;
if (suite is null)
{
    Console.Error.WriteLine(
        $"Benchmarks SUITE [--quick] [--json FILE] [--report FOLDER]; suites: {string.Join(", ", suites.Select(s => s.Name))}; "
        + $"orders also [{Partitions} N]");
    return 2;
}
if (partitions is < 1 or > ShopPartitions.MaxCount || (args.Contains(Partitions) && suite is not OrdersSuite))
{
    Console.Error.WriteLine($"{Partitions} is for the suite orders, and a number from 1 to {ShopPartitions.MaxCount}.");
    return 2;
}
var quick = args.Contains("--quick");
var result = await suite.RunAsync(quick);
foreach (var m in result.Measurements)
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{m.Name,-48} {m.Value,10:0.000} {m.Unit,-8} {m.Target}"));
}
if (Option("--json") is { } json)
{
    await File.WriteAllTextAsync(json, JsonSerializer.Serialize(result.Measurements, MeasurementJson.Default.IReadOnlyListMeasurement));
}
if (Option("--report") is { } folder)
{
    await Report.WriteAsync(folder, suite, result, quick);
}
return 0;

string? Option(string name) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;
