using System.Diagnostics;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>Appends events at a rate, on a thread of its own, so that the rate does not depend on the thread pool.</summary>
internal static class EventSource
{
    /// <param name="client">Whose producer appends.</param>
    /// <param name="key">The stream.</param>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">The rate; late events are caught up at once.</param>
    public static async Task AppendAsync(StreamClient client, string key, int count, int perSecond)
    {
        var topic = BenchmarkEvent.Topic(key);
        var appending = await Task.Factory.StartNew(() =>
        {
            var start = Stopwatch.GetTimestamp();
            Task last = Task.CompletedTask;
            for (var sent = 0; sent < count;)
            {
                for (var due = Math.Min(count, (int)(Stopwatch.GetElapsedTime(start).TotalSeconds * perSecond)); sent < due; sent++)
                {
                    last = client.Producer.AppendAsync(topic, BenchmarkEvent.Now(sent));
                }
                Thread.Sleep(1);
            }
            // One connection: when the last event is appended, all are.
            return last;
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await appending;
    }
}
