using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Regions;

namespace AspireRedis.Regions.Cli;

/// <summary>A line each second at most, and one at the end.</summary>
internal sealed class ProgressLine(TextWriter to, string unit) : IProgress<RegionProgress>
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private long _last = Stopwatch.GetTimestamp();

    public void Report(RegionProgress value)
    {
        if (value.Done < value.Total && Stopwatch.GetElapsedTime(_last) < s_interval)
        {
            return;
        }
        _last = Stopwatch.GetTimestamp();
        to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {value.Total} {unit}"));
    }
}
