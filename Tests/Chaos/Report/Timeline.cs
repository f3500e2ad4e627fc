using AspireRedis.Chaos.Faults;
using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Series;

namespace AspireRedis.Chaos.Report;

/// <summary>Acknowledged orders per second, with the faults behind them.</summary>
internal static class Timeline
{
    private const int Width = 1400;
    private const int Height = 420;

    public static async Task WriteAsync(string path, ChaosResult result)
    {
        var seconds = (int)Math.Ceiling((result.End - result.Begin).TotalSeconds);
        var rate = new int[seconds + 1];
        foreach (var at in result.Acknowledgements)
        {
            rate[Math.Clamp((int)(at - result.Begin).TotalSeconds, 0, seconds)]++;
        }
        var top = rate.Max() * 1.1;
        var plot = new PlotModel
        {
            Title = $"{result.Acknowledgements.Count:N0} acknowledged orders through {result.Faults.Count} faults: {result.Violations.Count} violations",
            TitleFontSize = 15,
            Background = OxyColors.White,
        };
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "seconds", Minimum = 0, Maximum = seconds });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "acknowledged orders per second", AxisTitleDistance = 16,
            Minimum = 0, Maximum = top });
        foreach (var fault in result.Faults)
        {
            var (colour, _) = Look(fault.Fault.Kind);
            plot.Annotations.Add(new RectangleAnnotation
            {
                MinimumX = (fault.Begin - result.Begin).TotalSeconds,
                MaximumX = (fault.End - result.Begin).TotalSeconds,
                MinimumY = 0,
                MaximumY = top,
                Fill = OxyColor.FromAColor(90, colour),
                Layer = AnnotationLayer.BelowSeries,
                ToolTip = $"{fault.Fault.Kind} {fault.Target}",
            });
        }
        foreach (var (colour, name) in result.Faults.Select(f => Look(f.Fault.Kind)).Distinct()
            .OrderBy(l => l.Name, StringComparer.Ordinal))
        {
            // Only for the legend.
            plot.Series.Add(new LineSeries { Title = name, Color = OxyColor.FromAColor(120, colour), StrokeThickness = 8 });
        }
        plot.Legends.Add(new OxyPlot.Legends.Legend { LegendPlacement = OxyPlot.Legends.LegendPlacement.Outside,
            LegendPosition = OxyPlot.Legends.LegendPosition.BottomCenter, LegendOrientation = OxyPlot.Legends.LegendOrientation.Horizontal,
            LegendColumnSpacing = 24, LegendItemSpacing = 40 });
        var line = new StairStepSeries { Color = OxyColors.Black, StrokeThickness = 0.8 };
        line.Points.AddRange(rate.Select((count, second) => new DataPoint(second, count)));
        plot.Series.Add(line);
        await using var file = File.Create(path);
        new SvgExporter { Width = Width, Height = Height, IsDocument = true }.Export(plot, file);
    }

    private static (OxyColor Colour, string Name) Look(FaultKind kind) => kind switch
    {
        FaultKind.KillPrimary or FaultKind.FreezePrimary or FaultKind.FreezePrimaryUnseen or FaultKind.IsolatePrimary
            or FaultKind.CutPrimaryFromSentinels or
            FaultKind.FillPrimaryDisk or FaultKind.SwitchOver
            => (OxyColors.OrangeRed, "primary"),
        FaultKind.RestartAllNodes => (OxyColors.Purple, "all Redis nodes"),
        FaultKind.KillReplica or FaultKind.FreezeReplica or FaultKind.FreezeReplicas or FaultKind.CutReplica or FaultKind.FillReplicaDisk
            => (OxyColors.Orange, "replicas"),
        FaultKind.KillSentinel or FaultKind.FreezeSentinel or FaultKind.CutSentinel => (OxyColors.MediumSeaGreen, "a Sentinel"),
        _ => (OxyColors.SteelBlue, "a service"),
    };
}
