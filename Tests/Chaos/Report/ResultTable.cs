using System.Globalization;
using AspireRedis.Chaos.Checking;

namespace AspireRedis.Chaos.Report;

/// <summary>The result for people.</summary>
internal static class ResultTable
{
    private const int ShownPerKind = 5;

    public static void Write(TextWriter output, ChaosResult result)
    {
        output.WriteLine();
        output.WriteLine("fault                    times   whole after (s)    silence (s)        requests");
        output.WriteLine("                                median    longest   median  longest   failed  longest (s)");
        foreach (var kind in result.Faults.GroupBy(f => f.Fault.Kind).OrderBy(g => g.Key))
        {
            var recovery = kind.Where(f => f.Recovery is not null).Select(f => f.Recovery!.Value.TotalSeconds).ToArray();
            var silence = kind.Select(f => f.Silence.TotalSeconds).ToArray();
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{kind.Key,-23} {kind.Count(),6} {Median(recovery),8:0.0} {recovery.DefaultIfEmpty().Max(),9:0.0} {Median(silence),9:0.0} {silence.Max(),8:0.0} {kind.Sum(f => f.Failed),8} {kind.Max(f => f.LongestAnswer).TotalSeconds,12:0.00}"));
        }
        output.WriteLine();
        output.WriteLine(
            $"{"answers",-22}{string.Join(", ", result.Answers.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Key}: {a.Value}"))}");
        output.WriteLine($"{"customers",-22}{result.Observations.Purchases.Count}");
        output.WriteLine($"{"orders acknowledged",-22}{result.Acknowledgements.Count}");
        output.WriteLine($"{"orders stored",-22}{result.Observations.Orders.Count}");
        output.WriteLine($"{"mails",-22}{result.Observations.Mails.Count}");
        output.WriteLine();
        foreach (var kind in Enum.GetValues<ViolationKind>())
        {
            var violations = result.Violations.Where(v => v.Kind == kind).ToArray();
            output.WriteLine($"{kind,-22}{violations.Length,6}");
            foreach (var violation in violations.Take(ShownPerKind))
            {
                output.WriteLine($"    {violation.Detail}");
            }
            if (violations.Length > ShownPerKind)
            {
                output.WriteLine($"    and {violations.Length - ShownPerKind} more");
            }
        }
    }

    private static double Median(double[] values) => values.Length == 0 ? 0 : values.Order().ElementAt(values.Length / 2);
}
