using System.Globalization;
using System.Text.Json;
using AspireRedis.Benchmarks;
using AspireRedis.Topology;

// Benchmarks SUITE [--quick] [--json FILE]; suites: locks. It starts its own redis-server.
if (args is ["locks-worker", var server, var contenders, var start, var seconds])
{
    await ContendedLeases.WorkAsync(
        server, int.Parse(contenders, CultureInfo.InvariantCulture), long.Parse(start, CultureInfo.InvariantCulture),
        TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)));
    return 0;
}
var json = Array.IndexOf(args, "--json") is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;
if (args is not ["locks", ..])
{
    Console.Error.WriteLine("Benchmarks SUITE [--quick] [--json FILE]; suites: locks");
    return 2;
}
var quick = args.Contains("--quick");
var round = TimeSpan.FromSeconds(quick ? 0.5 : 2);
var window = TimeSpan.FromSeconds(quick ? 5 : 20);

var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);

List<Measurement> results =
[
    await UncontendedLeases.RunAsync(topology.ConnectionString, 1, round),
    await UncontendedLeases.RunAsync(topology.ConnectionString, 50, round),
    .. await ContendedLeases.RunAsync(topology.ConnectionString, 4, window, "lease.contended50"),
    .. await ContendedLeases.RunAsync(topology.ConnectionString, 1, window, "lease.contended50.local"),
];
foreach (var result in results)
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Name,-40} {result.Value,8:0.000} {result.Unit,-8} target {result.Target}"));
}
if (json is not null)
{
    await File.WriteAllTextAsync(json, JsonSerializer.Serialize<IReadOnlyList<Measurement>>(results, MeasurementJson.Default.IReadOnlyListMeasurement));
}
return 0;
