using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Locking;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>
/// 50 contenders on one lease, spread over processes: each holds it for 5 ms and thinks for 100 ms. All clocks are the
/// machine's monotonic one, so that times of different processes compare.
/// </summary>
internal static class ContendedLeases
{
    private const string Resource = "contended";
    private const int Contenders = 50;
    private static readonly TimeSpan s_hold = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_think = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);

    public static async Task<IReadOnlyList<Measurement>> RunAsync(ISuite suite, string connectionString, int processes, TimeSpan window, string names)
    {
        var start = Stopwatch.GetTimestamp() + (long)(2 * Stopwatch.Frequency);
        var workers = Enumerable.Range(0, processes).Select(p => Worker.Start(
            suite, connectionString, Text((Contenders / processes) + (p < Contenders % processes ? 1 : 0)), Text(start), Text(window.TotalSeconds))).ToList();
        var outputs = await Task.WhenAll(workers.Select(Worker.OutputAsync));
        var turns = outputs.SelectMany((output, p) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            var parts = line.Split(' ').Select(v => long.Parse(v, CultureInfo.InvariantCulture)).ToArray();
            return (Contender: (p * Contenders) + parts[0], Acquired: parts[1], Released: parts[2]);
        })).OrderBy(t => t.Acquired).ToList();
        var overlaps = turns.Zip(turns.Skip(1)).Count(t => t.Second.Acquired < t.First.Released);
        if (overlaps > 0)
        {
            throw new InvalidOperationException($"{overlaps} turns overlap: the lease does not exclude.");
        }
        var from = start + (long)(s_warmUp.TotalSeconds * Stopwatch.Frequency);
        var to = from + (long)(window.TotalSeconds * Stopwatch.Frequency);
        var held = turns.Sum(t => Math.Max(0, Math.Min(t.Released, to) - Math.Max(t.Acquired, from)));
        var inside = turns.Where(t => t.Acquired >= from && t.Acquired < to).ToList();
        var gaps = inside.Zip(inside.Skip(1)).Select(t => Stopwatch.GetElapsedTime(t.First.Released, t.Second.Acquired).TotalMilliseconds);
        var wins = inside.CountBy(t => t.Contender).Select(w => w.Value).ToList();
        var local = processes == 1;
        return
        [
            new($"{names}.utilisation", held / (double)(to - from), "1", local ? "at least 0.98" : "at least 0.90"),
            new($"{names}.handover.p50.ms", Statistics.Median(gaps), "ms", local ? "below 0.1" : "below 0.5"),
            new($"{names}.fairness", wins.Count < Contenders ? double.PositiveInfinity : wins.Max() / (double)wins.Min(), "max/min", "at most 1.1"),
        ];
    }

    /// <summary>A worker process: prints contender, time acquired and time released of each turn.</summary>
    public static async Task WorkAsync(string[] arguments)
    {
        var connectionString = arguments[0];
        var contenders = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        var start = long.Parse(arguments[2], CultureInfo.InvariantCulture);
        var window = TimeSpan.FromSeconds(double.Parse(arguments[3], CultureInfo.InvariantCulture));
        await using var client = await LockClient.ConnectAsync(connectionString);
        var end = start + (long)((s_warmUp + window).TotalSeconds * Stopwatch.Frequency);
        var options = new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(60) };
        var turns = await Task.WhenAll(Enumerable.Range(0, contenders).Select(contender => Task.Run(async () =>
        {
            var mine = new List<(int Contender, long Acquired, long Released)>();
            while (Stopwatch.GetTimestamp() < end)
            {
                await using (await client.Leases.AcquireAsync(Resource, options))
                {
                    var acquired = Stopwatch.GetTimestamp();
                    await Task.Delay(s_hold);
                    mine.Add((contender, acquired, Stopwatch.GetTimestamp()));
                }
                await Task.Delay(s_think);
            }
            return mine;
        })));
        foreach (var (contender, acquired, released) in turns.SelectMany(t => t))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{contender} {acquired} {released}"));
        }
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
