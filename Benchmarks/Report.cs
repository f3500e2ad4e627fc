using System.Globalization;
using System.Text;
using OxyPlot;

namespace AspireRedis.Benchmarks;

/// <summary>A suite's result as a page with a table and its plots.</summary>
internal static class Report
{
    public static async Task WriteAsync(string folder, ISuite suite, SuiteResult result, bool quick)
    {
        Directory.CreateDirectory(folder);
        var page = new StringBuilder();
        page.AppendLine(CultureInfo.InvariantCulture, $"# Benchmark: {suite.Name}");
        page.AppendLine();
        page.AppendLine(CultureInfo.InvariantCulture,
            $"`dotnet run -c Release --project Benchmarks -- {suite.Name}{(quick ? " --quick" : "")}`, "
            + $"{DateTime.UtcNow:yyyy-MM-dd}, {Environment.ProcessorCount} cores. A ratio is against bare commands of the same run.");
        page.AppendLine();
        page.AppendLine("| name | value | unit | target |");
        page.AppendLine("|---|---:|---|---|");
        foreach (var m in result.Measurements)
        {
            page.AppendLine(CultureInfo.InvariantCulture, $"| `{m.Name}` | {m.Value:0.###} | {m.Unit} | {m.Target} |");
        }
        foreach (var chart in result.Charts)
        {
            var file = chart.FileName + ".svg";
            // The exporter assumes narrower text than browsers draw, and would cut labels off.
            chart.Plot.Padding = new OxyThickness(56, 8, 32, 16);
            await using (var stream = File.Create(Path.Combine(folder, file)))
            {
                new SvgExporter { Width = 720, Height = 360, IsDocument = true }.Export(chart.Plot, stream);
            }
            page.AppendLine();
            page.AppendLine(CultureInfo.InvariantCulture, $"![{chart.Caption}]({file})");
        }
        await File.WriteAllTextAsync(Path.Combine(folder, suite.Name + ".md"), page.ToString());
    }
}
