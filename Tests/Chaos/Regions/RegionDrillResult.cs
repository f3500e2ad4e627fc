using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Chaos.Checking;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos.Regions;

/// <summary>One loss of the active region.</summary>
/// <param name="Lost">Which one.</param>
/// <param name="IsAutomatic">Whether the agent of the other one promoted it, or a command once the lease was over.</param>
/// <param name="Rto">From the loss to the first order that the other one acknowledged; null at level Region, where it needs a standby.</param>
/// <param name="Promotion">From the command to that; null when automatic.</param>
/// <param name="LostOrders">Acknowledged orders that are gone.</param>
/// <param name="Rpo">How long before the loss the first of those was acknowledged; zero for none.</param>
/// <param name="LostBeyondLag">Those of them that the standby should have had, by the lag that its agent last showed.</param>
/// <param name="StaleAccepted">Orders that the lost region acknowledged when it was back.</param>
/// <param name="IsBack">Whether it became a standby again, and what was lost with it stands in the file of the failback.</param>
internal sealed record RegionLoss(
    string Lost, bool IsAutomatic, TimeSpan? Rto, TimeSpan? Promotion, int LostOrders, TimeSpan Rpo, int LostBeyondLag, int StaleAccepted,
    bool IsBack);

/// <summary>One planned switch.</summary>
/// <param name="Held">For how long no region accepted writes.</param>
/// <param name="LongestOrder">How long a customer waited at most around it.</param>
/// <param name="Failed">Requests that were not answered with 201 or with the name of the active region.</param>
/// <param name="Lost">Acknowledged orders that are gone.</param>
internal sealed record RegionSwitched(TimeSpan Held, TimeSpan LongestOrder, int Failed, int Lost);

/// <summary>What a drill has shown.</summary>
/// <param name="Losses">One after the other.</param>
/// <param name="Switches">The planned ones.</param>
/// <param name="Acknowledged">Orders that were acknowledged at all.</param>
/// <param name="Violations">What must not happen, lost orders within the lag not counted.</param>
internal sealed partial record RegionDrillResult(
    IReadOnlyList<RegionLoss> Losses, IReadOnlyList<RegionSwitched> Switches, int Acknowledged, IReadOnlyList<Violation> Violations)
{
    public bool IsGood => Violations.Count == 0 && Losses.All(l => l is { LostBeyondLag: 0, StaleAccepted: 0, IsBack: true })
        && Switches.All(s => s is { Lost: 0, Failed: 0 });

    /// <summary>Whether the level has kept its promise: none promises more than the lag, but the one that waits for the standby.</summary>
    public bool IsGoodAt(Durability level) => IsGood && (level != Durability.Region || Losses.All(l => l.LostOrders == 0));

    public string Json(RegionDrillOptions options)
    {
        var automatic = Losses.Where(l => l.IsAutomatic).Select(l => l.Rto?.TotalSeconds).OfType<double>().Order().ToList();
        var byCommand = Losses.Select(l => l.Promotion?.TotalSeconds).OfType<double>().Order().ToList();
        return JsonSerializer.Serialize(new DrillJson(
            Losses.Count, options.Rate, (int)options.Latency.TotalMilliseconds, options.Durability.ToString().ToLowerInvariant(),
            options.Seed, Acknowledged, Median(automatic), Max(automatic), Median(byCommand), Max(byCommand),
            Rounded(Losses.Select(l => l.Rpo.TotalSeconds).DefaultIfEmpty().Max()), Losses.Sum(l => l.LostOrders),
            options.Durability == Durability.Region ? Losses.Sum(l => l.LostOrders) : null,
            Losses.Sum(l => l.LostBeyondLag), Losses.Sum(l => l.StaleAccepted), Losses.Count == 0 ? null : Losses.All(l => l.IsBack),
            Switches.Count, Switches.Sum(s => s.Failed), Switches.Sum(s => s.Lost),
            Max([.. Switches.Select(s => s.LongestOrder.TotalSeconds).Order()]),
            Max([.. Switches.Select(s => s.Held.TotalSeconds).Order()]), [.. Violations.Select(v => $"{v.Kind}: {v.Detail}")]),
            ResultJson.Default.DrillJson);

        static double? Median(List<double> times) => times.Count == 0 ? null : Rounded(times[times.Count / 2]);

        static double? Max(List<double> times) => times.Count == 0 ? null : Rounded(times[^1]);

        static double Rounded(double seconds) => Math.Round(seconds, 3);
    }

    internal sealed record DrillJson(
        int Promotions, int Rate, int LatencyMs, string Durability, int Seed, int Acknowledged, double? RtoP50S, double? RtoMaxS,
        double? PromoteP50S, double? PromoteMaxS, double RpoMaxS, int Lost, int? LostRegionLevel, int LostBeyondLag, int StaleAccepted,
        bool? FailbackOk, int Switches, int SwitchFailed, int SwitchLost, double? SwitchMaxS, double? SwitchHeldMaxS,
        IReadOnlyList<string> Violations);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
    [JsonSerializable(typeof(DrillJson))]
    private sealed partial class ResultJson : JsonSerializerContext;
}
