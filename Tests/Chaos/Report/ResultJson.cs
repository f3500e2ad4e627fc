using System.Text.Json;
using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Faults;

namespace AspireRedis.Chaos.Report;

/// <summary>The result for programs.</summary>
internal static class ResultJson
{
    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true };

    public static async Task WriteAsync(string path, ChaosOptions options, ChaosResult result)
    {
        var document = new
        {
            seed = options.Seed,
            durability = options.Durability.ToString().ToLowerInvariant(),
            partitions = options.Partitions,
            topology = options.OnCluster ? "cluster" : "sentinel",
            seconds = Math.Round((result.End - result.Begin).TotalSeconds, 1),
            faults = result.Faults.Count,
            faultsByKind = Enum.GetValues<FaultKind>().ToDictionary(k => k.ToString(), k => result.Faults.Count(f => f.Fault.Kind == k)),
            longestRecoverySeconds = Math.Round(result.Faults.Max(f => f.Recovery ?? TimeSpan.Zero).TotalSeconds, 1),
            longestSilenceSeconds = Math.Round(result.Faults.Max(f => f.Silence).TotalSeconds, 1),
            customers = result.Observations.Purchases.Count,
            acknowledgedOrders = result.Acknowledgements.Count,
            storedOrders = result.Observations.Orders.Count,
            mails = result.Observations.Mails.Count,
            answers = result.Answers,
            violations = Enum.GetValues<ViolationKind>().ToDictionary(k => k.ToString(), k => result.Violations.Count(v => v.Kind == k)),
            details = result.Violations.Select(v => $"{v.Kind}: {v.Detail}"),
        };
        await using var file = File.Create(path);
        await JsonSerializer.SerializeAsync(file, document, s_options);
    }
}
