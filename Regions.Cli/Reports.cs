using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Coordination.Regions;
using StackExchange.Redis;

namespace AspireRedis.Regions.Cli;

/// <summary>The results, for people and for programs.</summary>
internal static partial class Reports
{
    /// <summary>What keeps the loss of a region from being survived at the moment; null for nothing.</summary>
    public static string? Missing(RegionStatus status)
        => status.LeaseHolder is null ? "no region has the right to accept writes"
            : status.WitnessesReady <= status.Witnesses / 2
                ? $"only {status.WitnessesReady} of {status.Witnesses} witnesses can be counted on"
            : status.Regions.FirstOrDefault(r => !r.IsActive && !r.IsInSync) is { } standby ? $"{standby.Name} is not in sync"
            : status.Regions.FirstOrDefault(r => r.ServersReached < r.Servers) is { } part
                ? $"{part.ServersReached} of {part.Servers} servers of {part.Name} answer"
            : null;

    public static void Write(TextWriter to, RegionStatus status)
    {
        var line = CultureInfo.InvariantCulture;
        to.WriteLine(string.Create(line, $"active    {status.ActiveRegion ?? "none"}, epoch {status.Epoch}"));
        to.WriteLine($"lease     {status.LeaseHolder ?? "nobody has it"}");
        to.WriteLine(string.Create(line, $"witnesses {status.WitnessesReady} of {status.Witnesses}"));
        foreach (var region in status.Regions)
        {
            to.WriteLine(string.Create(line,
                $"{region.Name,-9} {(region.IsActive ? "primary" : "head")} {region.Head ?? "none"}, {region.ServersReached} of {region.Servers} servers, {region.SentinelsMonitoring} Sentinels monitor it")
                + (region.IsActive ? "" : string.Create(line, $", {(region.IsInSync ? "in sync" : "not in sync")}, {LagOf(region)}")));
        }
        to.WriteLine(Missing(status) is { } missing ? $"The loss of a region could not be survived: {missing}."
            : "The loss of a region could be survived.");
    }

    public static void WriteJson(TextWriter to, RegionStatus status)
        => to.WriteLine(JsonSerializer.Serialize(new StatusJson(status.ActiveRegion, status.Epoch, status.LeaseHolder,
            status.WitnessesReady, status.Witnesses, Missing(status) is null, Missing(status),
            [.. status.Regions.Select(r => new RegionJson(r.Name, r.IsActive, r.Head, r.Servers, r.ServersReached, r.SentinelsMonitoring,
                r.IsInSync, r.LagBytes, r.SilentFor?.TotalSeconds))]), ResultJson.Default.StatusJson));

    public static void Write(TextWriter to, RegionPromotionResult result)
        => to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{result.Region} is the active region, epoch {result.Epoch}: {EndPointCollection.ToString(result.Primary)} accepts writes; none were accepted for {result.Held.TotalMilliseconds:0} ms of {result.Duration.TotalMilliseconds:0}."));

    public static void WriteJson(TextWriter to, RegionPromotionResult result)
        => to.WriteLine(JsonSerializer.Serialize(new PromotionJson(result.Region, result.Epoch, EndPointCollection.ToString(result.Primary),
            Math.Round(result.Held.TotalSeconds, 3), Math.Round(result.Duration.TotalSeconds, 3)), ResultJson.Default.PromotionJson));

    public static void Write(TextWriter to, RegionFailbackResult result)
        => to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{result.Region} is a standby again; {result.Writes} writes that only it had are in {result.File}")
            + (result.IsExact ? "." : ", among them such as the active region has: where they part was not found."));

    public static void WriteJson(TextWriter to, RegionFailbackResult result)
        => to.WriteLine(JsonSerializer.Serialize(new FailbackJson(result.Region, result.Writes, result.IsExact, result.File),
            ResultJson.Default.FailbackJson));

    public static void Write(TextWriter to, bool isJson, RegionBackup backup, string folder, TimeSpan took)
    {
        if (isJson)
        {
            to.WriteLine(JsonSerializer.Serialize(new BackupJson(backup.Region, backup.ActiveRegion, backup.Epoch, backup.Server,
                backup.Offset, backup.TakenAt, backup.Size, backup.Sha256, folder, Seconds(took)), ResultJson.Default.BackupJson));
            return;
        }
        to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{backup.Size} bytes of {backup.Region} ({backup.Server}) are in {folder}: epoch {backup.Epoch}, position {backup.Offset}, after {took.TotalSeconds:0.0} s."));
    }

    /// <param name="to">Where to.</param>
    /// <param name="isJson">For programs.</param>
    /// <param name="result">What was restored.</param>
    /// <param name="took">From the command on, without the check.</param>
    /// <param name="violations">What does not fit together; null when nobody has looked.</param>
    public static void Write(TextWriter to, bool isJson, RegionRestoreResult result, TimeSpan took, IReadOnlyList<string>? violations)
    {
        if (isJson)
        {
            to.WriteLine(JsonSerializer.Serialize(new RestoreJson(result.Region, result.Epoch, result.Keys, result.Replicas,
                Seconds(result.Duration), Seconds(took), violations), ResultJson.Default.RestoreJson));
            return;
        }
        to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{result.Keys} keys are in {result.Region} and in {result.Replicas} servers that follow it, after {took.TotalSeconds:0.0} s; services were refused for {result.Duration.TotalSeconds:0.0} s."));
        to.WriteLine(violations is null ? "Whether they fit together nobody has looked."
            : violations.Count == 0 ? "Orders, stock and counts fit together." : "They do not fit together:");
        foreach (var violation in violations ?? [])
        {
            to.WriteLine($"  {violation}");
        }
    }

    public static void WriteError(TextWriter to, string message, bool isChanged)
        => to.WriteLine(JsonSerializer.Serialize(new ErrorJson(message, isChanged), ResultJson.Default.ErrorJson));

    /// <summary>What a promotion would lose, as far as is known.</summary>
    public static string RpoOf(RegionReport standby, string active)
        => standby.LagBytes is { } bytes
            ? string.Create(CultureInfo.InvariantCulture, $"{standby.Name} has not got the last {bytes} bytes of what {active} has written.")
            : standby.SilentFor is { } silent
            ? string.Create(CultureInfo.InvariantCulture,
                $"{standby.Name} heard of {active} {silent.TotalSeconds:0} s ago: what {active} has acknowledged since then and had not sent is lost, unless it comes back.")
            : $"How far {standby.Name} was behind is not known.";

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);

    private static string LagOf(RegionReport region) => region.LagBytes is { } bytes
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes behind")
        : region.SilentFor is { } silent ? string.Create(CultureInfo.InvariantCulture, $"heard of the other one {silent.TotalSeconds:0} s ago")
        : "lag not known";

    internal sealed record StatusJson(string? ActiveRegion, long Epoch, string? LeaseHolder, int WitnessesReady, int Witnesses,
        bool Healthy, string? Missing, IReadOnlyList<RegionJson> Regions);

    internal sealed record RegionJson(string Name, bool Active, string? Head, int Servers, int ServersReached, int SentinelsMonitoring,
        bool InSync, long? LagBytes, double? SilentForSeconds);

    internal sealed record PromotionJson(string Region, long Epoch, string Primary, double HeldSeconds, double DurationSeconds);

    internal sealed record FailbackJson(string Region, int Writes, bool Exact, string File);

    internal sealed record BackupJson(string Region, string? ActiveRegion, long Epoch, string Server, long Offset, DateTimeOffset TakenAt,
        long Size, string Sha256, string Folder, double DurationSeconds);

    internal sealed record RestoreJson(string Region, long Epoch, long Keys, int Replicas, double RefusedSeconds, double DurationSeconds,
        IReadOnlyList<string>? Violations);

    internal sealed record ErrorJson(string Error, bool Changed);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
    [JsonSerializable(typeof(StatusJson))]
    [JsonSerializable(typeof(PromotionJson))]
    [JsonSerializable(typeof(FailbackJson))]
    [JsonSerializable(typeof(BackupJson))]
    [JsonSerializable(typeof(RestoreJson))]
    [JsonSerializable(typeof(ErrorJson))]
    private sealed partial class ResultJson : JsonSerializerContext;
}
