using System.Diagnostics;

namespace AspireRedis.Benchmarks;

/// <summary>The same thing over and over, for a time.</summary>
internal static class Round
{
    /// <summary>How long each took, in milliseconds.</summary>
    /// <param name="concurrency">How many do it beside one another; each gets its number.</param>
    /// <param name="length">For how long.</param>
    /// <param name="action">What they do.</param>
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
