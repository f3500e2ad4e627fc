using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Locking;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>
/// 50 contenders on one lease, spread over processes: each holds it for 5 ms and pauses for 100 ms. All clocks are the
/// machine's monotonic one, so that times of different processes compare.
/// </summary>
internal static class ContendedLeases
{
    public const int Contenders = 50;
    private const string Resource = "contended";
    private static readonly TimeSpan s_hold = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_think = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);

    /// <param name="name">For the charts.</param>
    /// <param name="processes">Over how many the contenders are spread.</param>
    /// <param name="window">How long is measured, after a warm-up.</param>
    /// <param name="worker">
    /// Starts a process: the number of contenders, when they begin (monotonic clock, in ns), and how long they try.
    /// </param>
    public static async Task<ContendedResult> RunAsync(string name, int processes, TimeSpan window,
        Func<int, long, TimeSpan, Process> worker)
    {
        var start = Now() + 2_000_000_000L;
        var workers = Enumerable.Range(0, processes)
            .Select(p => worker((Contenders / processes) + (p < Contenders % processes ? 1 : 0), start, s_warmUp + window)).ToList();
        var outputs = await Task.WhenAll(workers.Select(Worker.OutputAsync));
        var turns = outputs.SelectMany((output, p) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            var parts = line.Split(' ').Select(v => long.Parse(v, CultureInfo.InvariantCulture)).ToArray();
            return (Contender: (p * Contenders) + parts[0], Acquired: parts[1], Released: parts[2]);
        })).OrderBy(t => t.Acquired).ToList();
        var overlaps = turns.Zip(turns.Skip(1)).Count(t => t.Second.Acquired < t.First.Released);
        if (overlaps > 0)
        {
            throw new InvalidOperationException($"{name}: {overlaps} turns overlap: the lease does not exclude.");
        }
        var from = start + (long)s_warmUp.TotalNanoseconds;
        var to = from + (long)window.TotalNanoseconds;
        var held = turns.Sum(t => Math.Max(0, Math.Min(t.Released, to) - Math.Max(t.Acquired, from)));
        var inside = turns.Where(t => t.Acquired >= from && t.Acquired < to).ToList();
        var gaps = inside.Zip(inside.Skip(1)).Select(t => (t.Second.Acquired - t.First.Released) / 1e6);
        var wins = inside.CountBy(t => t.Contender).Select(w => w.Value).ToList();
        var result = new ContendedResult(
            name, held / (double)(to - from), Statistics.Median(gaps),
            [.. wins.Concat(Enumerable.Repeat(0, Contenders - wins.Count)).Order()]);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  {name}: held {result.Utilisation:P1}, hand-over p50 {result.HandOver:0.000} ms, "
            + $"{result.Wins[0]} to {result.Wins[^1]} wins"));
        return result;
    }

    /// <summary>
    /// A worker process: prints contender, time acquired and time released of each turn. The last argument may name a
    /// <see cref="DotNetPeer"/>.
    /// </summary>
    public static async Task WorkAsync(string[] arguments)
    {
        var connectionString = arguments[0];
        var contenders = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        var start = long.Parse(arguments[2], CultureInfo.InvariantCulture);
        var end = start + (long)TimeSpan.FromSeconds(double.Parse(arguments[3], CultureInfo.InvariantCulture)).TotalNanoseconds;
        await using var client = await LockClient.ConnectAsync(connectionString);
        var options = new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(60) };
        Func<string, Task<IAsyncDisposable>> acquire = arguments is [_, _, _, _, var name]
            ? DotNetPeer.All.Single(p => p.Name == name).Connect(client.Database.Multiplexer)
            : async resource => await client.Leases.AcquireAsync(resource, options);
        await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(0, (start - Now()) / 1_000_000)));
        var turns = await Task.WhenAll(Enumerable.Range(0, contenders).Select(contender => Task.Run(async () =>
        {
            var mine = new List<(int Contender, long Acquired, long Released)>();
            while (Now() < end)
            {
                await using (await acquire(Resource))
                {
                    var acquired = Now();
                    await Task.Delay(s_hold);
                    mine.Add((contender, acquired, Now()));
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

    private static long Now() => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));
}

/// <summary>The result of one contention run.</summary>
/// <param name="Name">For the charts.</param>
/// <param name="Utilisation">
/// Share of the window in which somebody held the lease: from a returned acquire to the call of its release.
/// </param>
/// <param name="HandOver">Median ms from the call of a release to the return of the next acquire.</param>
/// <param name="Wins">How often each contender had the lease, in rising order.</param>
internal sealed record ContendedResult(string Name, double Utilisation, double HandOver, int[] Wins)
{
    public IEnumerable<Measurement> Measurements(string names, string utilisation, string handOver, string fairness) =>
    [
        new($"{names}.utilisation", Utilisation, "1", utilisation),
        new($"{names}.handover.p50.ms", HandOver, "ms", handOver),
        // A contender without any win counts as one win: infinity is not a number in JSON.
        new($"{names}.fairness", Wins[^1] / (double)Math.Max(1, Wins[0]), "max/min", fairness),
    ];
}
