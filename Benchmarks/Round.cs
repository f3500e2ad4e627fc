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

    /// <summary>
    /// How long each of several actions of one caller took, in milliseconds. They take turns call by call, so that what else the
    /// machine does falls on all of them.
    /// </summary>
    /// <param name="length">For how long.</param>
    /// <param name="actions">The measured actions.</param>
    public static Task<IReadOnlyList<double>[]> InTurnAsync(TimeSpan length, params Func<Task>[] actions)
        => Task.Run(async () =>
        {
            var times = Array.ConvertAll(actions, _ => new List<double>());
            for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < length;)
            {
                for (var i = 0; i < actions.Length; i++)
                {
                    var began = Stopwatch.GetTimestamp();
                    await actions[i]();
                    times[i].Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                }
            }
            return Array.ConvertAll<List<double>, IReadOnlyList<double>>(times, static t => t);
        });
}
