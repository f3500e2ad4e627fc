using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AspireRedis.Cluster.Cli;

/// <summary>What was moved.</summary>
/// <param name="From">The primary.</param>
/// <param name="PartitionsBefore">In how many partitions it has the shop.</param>
/// <param name="Partitions">In how many the cluster has it.</param>
/// <param name="Moved">Keys of the source by what they are.</param>
/// <param name="LeftBehind">Those that were not copied.</param>
/// <param name="Keys">How many the cluster has.</param>
/// <param name="Replicas">How many replicas have all of them; null when not all said so.</param>
/// <param name="CopySeconds">How long it took to copy them.</param>
/// <param name="CompareSeconds">And to compare them.</param>
/// <param name="Differences">What is not as in the source.</param>
internal sealed partial record MoveReport(string From, int PartitionsBefore, int Partitions, IReadOnlyDictionary<string, int> Moved,
    IReadOnlyDictionary<string, int> LeftBehind, int Keys, int? Replicas, double CopySeconds, double CompareSeconds,
    IReadOnlyList<string> Differences)
{
    private const int Shown = 20;

    public void Write(TextWriter to, bool isJson)
    {
        if (isJson)
        {
            to.WriteLine(JsonSerializer.Serialize(this, ResultJson.Default.MoveReport));
            return;
        }
        to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Moved.Values.Sum()} keys of {From} are copied in {CopySeconds:0.0} s and compared in {CompareSeconds:0.0} s: {Keys} keys in {Partitions} partitions."));
        to.WriteLine(Replicas is { } replicas ? string.Create(CultureInfo.InvariantCulture, $"{replicas} replicas have them.")
            : "Not every replica has said that it has them.");
        to.WriteLine(Differences.Count > 0 ? "The cluster must be emptied: it has not what the source has."
            : string.Create(CultureInfo.InvariantCulture, $"Everything is the same. Start the services on the cluster, with Orders__Partitions={Partitions}."));
        foreach (var difference in Differences.Take(Shown))
        {
            to.WriteLine($"  {difference}");
        }
        if (Differences.Count > Shown)
        {
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  and {Differences.Count - Shown} more"));
        }
    }

    public static void WriteError(TextWriter to, string message, bool isChanged)
        => to.WriteLine(JsonSerializer.Serialize(new ErrorJson(message, isChanged), ResultJson.Default.ErrorJson));

    private sealed record ErrorJson(string Error, bool Changed);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
    [JsonSerializable(typeof(MoveReport))]
    [JsonSerializable(typeof(ErrorJson))]
    private sealed partial class ResultJson : JsonSerializerContext;
}
