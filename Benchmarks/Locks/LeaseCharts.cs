using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>The plots of the contended lease.</summary>
internal static class LeaseCharts
{
    public static IEnumerable<Chart> Of(IReadOnlyList<ContendedResult> results) =>
    [
        Bars("lease-utilisation", "50 contenders: share of the time in which the lease is held", "share of the time", "{0:0.000}", results,
        r => r.Utilisation, logarithmic: false),
        Bars("lease-handover", "50 contenders: from release to the next acquire, median", "milliseconds", "{0:0.000}", results,
            r => r.HandOver, logarithmic: true),
        Wins(results),
    ];

    private static Chart Bars(
        string file, string title, string axis, string format, IReadOnlyList<ContendedResult> results, Func<ContendedResult, double> value,
        bool logarithmic)
    {
        var plot = new PlotModel { Title = title };
        plot.Axes.Add(new CategoryAxis { Position = AxisPosition.Left, ItemsSource = results.Select(r => r.Name).Reverse().ToArray() });
        plot.Axes.Add(logarithmic
            ? new LogarithmicAxis { Position = AxisPosition.Bottom, Title = axis, Minimum = 0.01, MajorGridlineStyle = LineStyle.Dot }
            : new LinearAxis { Position = AxisPosition.Bottom, Title = axis, Minimum = 0, Maximum = 1,
                MajorGridlineStyle = LineStyle.Dot });
        plot.Series.Add(new BarSeries
        {
            ItemsSource = results.Reverse().Select(r => new BarItem(value(r))).ToArray(),
            LabelFormatString = format,
            LabelPlacement = LabelPlacement.Inside,
            BaseValue = logarithmic ? 0.01 : 0,
        });
        return new Chart(file, title, plot);
    }

    private static Chart Wins(IReadOnlyList<ContendedResult> results)
    {
        var plot = new PlotModel { Title = "50 contenders: wins of each, as a share of the mean" };
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "contenders, in the order of their wins", Minimum = 1,
            Maximum = ContendedLeases.Contenders });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "wins / mean", Minimum = 0,
            MajorGridlineStyle = LineStyle.Dot });
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.LeftTop });
        foreach (var result in results)
        {
            var line = new LineSeries { Title = result.Name };
            line.Points.AddRange(result.Wins.Select((wins, i) => new DataPoint(i + 1, wins / result.Wins.Average())));
            plot.Series.Add(line);
        }
        return new Chart("lease-wins", "Wins of each of 50 contenders", plot);
    }
}
