using System.Diagnostics;

namespace AspireRedis.Benchmarks;

/// <summary>Repeats an action for a given time.</summary>
internal static class Round
{
    /// <summary>How long each took, in milliseconds.</summary>
    /// <param name="concurrency">The number of concurrent callers; each gets its index.</param>
    /// <param name="length">For how long.</param>
    /// <param name="action">The measured action.</param>
    public static async Task<IReadOnlyList<double>> RunAsync(int concurrency, TimeSpan length, Func<int, Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        var times = await Task.WhenAll(Enumerable.Range(0, concurrency).Select(worker => Task.Run(async () =>
        {
            var mine = new List<double>();
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                var began = Stopwatch.GetTimestamp();
                await action(worker);
                mine.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            return mine;
        })));
        return [.. times.SelectMany(t => t)];
    }
}
