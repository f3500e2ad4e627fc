using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>The plots of the suite.</summary>
internal static class StreamCharts
{
    public static Chart Drain(DrainResult drain, PeerResult? peer)
    {
        (string Name, double Rate)[] rates = [("bare loop", drain.Bare), ("ours", drain.Ours), .. peer is null
            ? Array.Empty<(string, double)>() : [("bullmq", peer.Rate)]];
        var plot = new PlotModel { Title = "Backlog drained by one process" };
        plot.Axes.Add(new CategoryAxis { Position = AxisPosition.Left, ItemsSource = rates.Select(r => r.Name).Reverse().ToArray() });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "entries per second", Minimum = 0, StringFormat = "#,0",
            MajorGridlineStyle = LineStyle.Dot });
        plot.Series.Add(new BarSeries
        {
            ItemsSource = rates.Reverse().Select(r => new BarItem(r.Rate)).ToArray(),
            LabelFormatString = "{0:#,0}",
            LabelPlacement = LabelPlacement.Inside,
        });
        return new Chart("stream-drain", "Entries per second of a backlog drained by one process", plot);
    }

    public static Chart Delivery(DeliveryResult delivery, PeerResult? peer)
    {
        var plot = new PlotModel { Title = "From append to handler at 1,000 events/s" };
        plot.Axes.Add(new LogarithmicAxis { Position = AxisPosition.Bottom, Title = "milliseconds", MajorGridlineStyle = LineStyle.Dot });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "share of events", Minimum = 0, Maximum = 1,
            MajorGridlineStyle = LineStyle.Dot });
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.RightBottom });
        plot.Series.Add(Distribution("bare loop", delivery.Bare));
        plot.Series.Add(Distribution("ours", delivery.Ours));
        if (peer is not null)
        {
            plot.Series.Add(Distribution("bullmq", peer.Delivery));
        }
        return new Chart("stream-delivery", "Distribution of the time from append to handler", plot);
    }

    public static Chart Memory(MemoryResult memory)
    {
        var plot = new PlotModel { Title = "Memory of the consumer process at 1,000 events/s" };
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "seconds", MajorGridlineStyle = LineStyle.Dot });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "MB", Minimum = 0, MajorGridlineStyle = LineStyle.Dot });
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.RightMiddle });
        plot.Series.Add(Line("resident", memory.Samples.Select(s => new DataPoint(s.Seconds, s.Resident))));
        plot.Series.Add(Line("managed heap", memory.Samples.Select(s => new DataPoint(s.Seconds, s.Managed))));
        return new Chart("stream-memory", "Memory of the consumer process over time", plot);
    }

    private static LineSeries Distribution(string title, IReadOnlyList<double> milliseconds)
    {
        var sorted = milliseconds.Order().ToArray();
        // As many points as the picture can show, without the highest 0.01%.
        var shares = Enumerable.Range(0, 400).Select(i => 0.0025 * i).Append(0.9999);
        return Line(title, shares.Select(s => new DataPoint(sorted[(int)(s * (sorted.Length - 1))], s)));
    }

    private static LineSeries Line(string title, IEnumerable<DataPoint> points)
    {
        var line = new LineSeries { Title = title };
        line.Points.AddRange(points);
        return line;
    }
}
