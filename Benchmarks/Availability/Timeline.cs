using System.Diagnostics;
using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>A change of the primary as the application saw it: each write by its beginning and how long it took.</summary>
internal static class Timeline
{
    public static Chart Of(
        string fileName, string caption, long zero, IReadOnlyList<(string Name, IReadOnlyList<WriteSample> Samples)> loads,
        IReadOnlyList<(string Name, long At)> events)
    {
        var plot = new PlotModel { Title = caption, TitleFontSize = 12 };
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "s", MajorGridlineStyle = LineStyle.Dot });
        plot.Axes.Add(new LogarithmicAxis { Position = AxisPosition.Left, Title = "ms", MajorGridlineStyle = LineStyle.Dot,
            Minimum = 0.1 });
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.TopRight });
        OxyColor[] colours = [OxyColors.SteelBlue, OxyColors.DarkOrange];
        foreach (var (i, (name, samples)) in loads.Index())
        {
            var good = new ScatterSeries { Title = name, MarkerType = MarkerType.Circle, MarkerSize = 2,
                MarkerFill = colours[i % colours.Length] };
            good.Points.AddRange(samples.Where(s => !s.Failed).Select(Point));
            plot.Series.Add(good);
            if (samples.Any(s => s.Failed))
            {
                var bad = new ScatterSeries { Title = $"{name}, failed", MarkerType = MarkerType.Cross, MarkerSize = 3,
                    MarkerStroke = OxyColors.Red };
                bad.Points.AddRange(samples.Where(s => s.Failed).Select(Point));
                plot.Series.Add(bad);
            }
        }
        foreach (var (name, at) in events)
        {
            plot.Annotations.Add(new LineAnnotation { Type = LineAnnotationType.Vertical, X = Seconds(at), Text = name,
                Color = OxyColors.Gray });
        }
        return new Chart(fileName, caption, plot);

        ScatterPoint Point(WriteSample sample) => new(Seconds(sample.Began), Math.Max(0.1, sample.Milliseconds));

        double Seconds(long at) => at >= zero ? Stopwatch.GetElapsedTime(zero, at).TotalSeconds
            : -Stopwatch.GetElapsedTime(at, zero).TotalSeconds;
    }
}
