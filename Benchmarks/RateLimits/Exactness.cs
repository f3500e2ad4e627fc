using System.Collections.Concurrent;
using System.Diagnostics;

namespace AspireRedis.Benchmarks.RateLimits;

/// <summary>
/// What 50 callers on three connections that take all they can get are permitted, against the stated limit: in all, and at most within the
/// time of a window, wherever it begins. Only permits count that were certainly within: asked for and answered in it.
/// </summary>
internal static class Exactness
{
    private const int Callers = 50;
    private const int Permits = 200;

    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    public static async Task<IReadOnlyList<Measurement>> RunAsync(
        string connectionString, LimitKind kind, TimeSpan length, string mostTarget, string leastTarget)
    {
        var clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => LimitClient.ConnectAsync(connectionString)));
        var limiters = clients.Select(c => kind.Create(c, "exactness", Permits, s_window)).ToList();
        var permits = new ConcurrentQueue<(TimeSpan Asked, TimeSpan Answered)>();
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                var asked = Stopwatch.GetElapsedTime(start);
                using var lease = await limiters[i % limiters.Count].AcquireAsync();
                if (lease.IsAcquired)
                {
                    permits.Enqueue((asked, Stopwatch.GetElapsedTime(start)));
                }
            }
        })));
        limiters.ForEach(l => l.Dispose());
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
        var ordered = permits.OrderBy(p => p.Asked).ToList();
        var most = ordered.Select((first, i) => ordered.Skip(i).TakeWhile(p => p.Asked <= first.Asked + s_window)
            .Count(p => p.Answered <= first.Asked + s_window)).Max();
        var name = kind.Name.StartsWith("peer", StringComparison.Ordinal) ? kind.Name : $"ratelimit.{kind.Name}";
        Console.WriteLine($"  {name}: {ordered.Count} of {Permits * length.TotalSeconds:0}, at most {most} within a window of {Permits}");
        return
        [
            new Measurement($"{name}.window.most", (double)most / Permits, "limit", mostTarget),
            new Measurement($"{name}.permitted", ordered.Count / (Permits * length / s_window), "limit", leastTarget),
        ];
    }
}
