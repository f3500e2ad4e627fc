using AspireRedis.Coordination;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>
/// Whether memory and connections of the process grow over many changes of the primary, planned and unplanned in turns.
/// </summary>
internal static class Growth
{
    // The first changes load code and fill pools.
    private const int WarmUp = 2;

    public static async Task<SuiteResult> RunAsync(int failovers)
    {
        await using var deployment = await Deployment.StartAsync();
        var (memory, connections) = (new List<double>(), new List<int>());
        await using (var load = WriteLoad.Start(50, id => deployment.Writer.EvaluateAsync(Scripts.Add, ["growth"], [id % 100],
            Durability.Replica, default)))
        {
            for (var i = 0; i < WarmUp + failovers; i++)
            {
                if (i % 2 == 0)
                {
                    await new PlannedSwitchover(deployment.Options, NullLogger<PlannedSwitchover>.Instance).RunAsync();
                }
                else
                {
                    var before = await deployment.Redis.CurrentPrimaryAsync();
                    await deployment.PlainFailoverAsync();
                    await deployment.Redis.WaitForPrimaryOtherThanAsync(before);
                }
                await deployment.Redis.WaitUntilCompleteAsync();
                if (i >= WarmUp - 1)
                {
                    connections.Add(await ConnectionsAsync(deployment));
                    memory.Add(GC.GetTotalMemory(forceFullCollection: true) / 1048576.0);
                    Console.WriteLine($"  after {connections.Count - 1} changes: {connections[^1]} connections, {memory[^1]:0.0} MiB");
                }
            }
            await load.StopAsync();
        }
        var plot = new PlotModel { Title = "Memory and connections of one process over changes of the primary", TitleFontSize = 12 };
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "changes" });
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Left, Title = "MiB, connections", Minimum = 0 });
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.BottomRight });
        plot.Series.Add(Line("managed memory (MiB)", memory));
        plot.Series.Add(Line("connections at all nodes", connections.Select(c => (double)c)));
        return new SuiteResult(
        [
            new("availability.failovers.connection_growth", connections[^1] - connections[0], "1", "0"),
            // From the median of the first quarter to that of the last, since single values vary.
            new("availability.failovers.memory_growth_mb",
                Statistics.Median(memory.TakeLast((memory.Count + 3) / 4)) - Statistics.Median(memory.Take((memory.Count + 3) / 4)), "MiB",
                "below 2"),
        ])
        { Charts = [new Chart("availability-growth", "Memory and connections over changes of the primary", plot)] };
    }

    /// <summary>Connections of this process' client at all nodes, by their name.</summary>
    private static async Task<int> ConnectionsAsync(Deployment deployment)
    {
        var count = 0;
        foreach (var node in deployment.Redis.Topology.Nodes)
        {
            // The client library would treat a Sentinel specially; this only asks.
            var clients = await RespConnection.OnceAsync(node.Address, deployment.Redis.Topology.Options.Login, CancellationToken.None,
                "CLIENT", "LIST");
            count += ((string)clients!).Split('\n').Count(line => line.Contains(" name=benchmark", StringComparison.Ordinal));
        }
        return count;
    }

    private static LineSeries Line(string title, IEnumerable<double> values)
    {
        var line = new LineSeries { Title = title };
        line.Points.AddRange(values.Select((v, i) => new DataPoint(i, v)));
        return line;
    }
}
