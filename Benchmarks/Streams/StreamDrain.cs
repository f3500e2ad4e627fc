using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>
/// One process drains a backlog: ours with a handler that does nothing, and the bare loop
/// <c>XREADGROUP COUNT 100</c>, <c>XACK</c>. In turns, each time as a new group on the same entries.
/// </summary>
internal static class StreamDrain
{
    private const string Key = "backlog";
    private const int Batch = 100;
    private const int FillChunk = 5000;
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);
    private static readonly RedisScript s_fill = RedisScript.Load(typeof(StreamDrain), "fill");

    public static async Task<DrainResult> RunAsync(string connectionString, int backlog, int rounds)
    {
        await using var client = await StreamClient.ConnectAsync(connectionString);
        await FillAsync(client, backlog);
        var ours = new List<double>();
        var bare = new List<double>();
        // The first round warms up.
        for (var round = 0; round <= rounds; round++)
        {
            var bareRate = await RateAsync(client, backlog, () => BareAsync(client, backlog, $"bare-{round}"), $"bare-{round}");
            var ourRate = await RateAsync(client, backlog, () => OursAsync(client, backlog, $"ours-{round}"), $"ours-{round}");
            Console.WriteLine($"  drain of {backlog:N0}: ours {ourRate:N0}/s, bare loop {bareRate:N0}/s{(round == 0 ? " (warm-up)" : "")}");
            if (round > 0)
            {
                ours.Add(ourRate);
                bare.Add(bareRate);
            }
        }
        await client.Database.KeyDeleteAsync(Key);
        return new DrainResult(Statistics.Median(ours), Statistics.Median(bare), Statistics.Median(ours.Zip(bare, (o, b) => o / b)));
    }

    private static async Task FillAsync(StreamClient client, int backlog)
    {
        using var template = client.Producer.PrepareAppend(BenchmarkEvent.Topic(Key), BenchmarkEvent.Now(0));
        if (template.Fields[0] != StreamFields.EventId)
        {
            throw new InvalidOperationException("The script that fills the backlog expects the event id first.");
        }
        for (var first = 0; first < backlog; first += FillChunk)
        {
            await client.Deployment.EvaluateAsync(s_fill, [Key], [first, Math.Min(FillChunk, backlog - first), .. template.Fields]);
        }
    }

    /// <summary>Entries per second; it has ended well when nothing is left that is unread or pending.</summary>
    private static async Task<double> RateAsync(StreamClient client, int backlog, Func<Task<TimeSpan>> drain, string group)
    {
        await client.Database.StreamCreateConsumerGroupAsync(Key, group, "0");
        GC.Collect();
        var took = await drain();
        var state = (await client.Database.StreamGroupInfoAsync(Key)).Single(g => g.Name == group);
        if (state.PendingMessageCount != 0 || state.Lag != 0)
        {
            throw new InvalidOperationException($"{group} left {state.PendingMessageCount} entries pending and {state.Lag} unread.");
        }
        await client.Database.StreamDeleteConsumerGroupAsync(Key, group);
        return backlog / took.TotalSeconds;
    }

    private static async Task<TimeSpan> BareAsync(StreamClient client, int backlog, string group)
    {
        var database = client.Database;
        var start = Stopwatch.GetTimestamp();
        for (var seen = 0; seen < backlog;)
        {
            var entries = await database.StreamReadGroupAsync(Key, group, "bare", ">", Batch);
            await database.StreamAcknowledgeAsync(Key, group, [.. entries.Select(e => e.Id)]);
            seen += entries.Length;
        }
        return Stopwatch.GetElapsedTime(start);
    }

    private static async Task<TimeSpan> OursAsync(StreamClient client, int backlog, string group)
    {
        using var stopping = new CancellationTokenSource();
        var handled = 0;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var start = Stopwatch.GetTimestamp();
        var consuming = client.ConsumeAsync(Key, group, _ =>
        {
            if (Interlocked.Increment(ref handled) == backlog)
            {
                all.TrySetResult();
            }
        }, stopping.Token);
        try
        {
            await all.Task.WaitAsync(s_bound);
            // The last acknowledgements are under way.
            while ((await client.Database.StreamPendingAsync(Key, group)).PendingMessageCount > 0)
            {
                await Task.Delay(1);
            }
            return Stopwatch.GetElapsedTime(start);
        }
        finally
        {
            await stopping.CancelAsync();
            await consuming;
        }
    }
}

/// <summary>Entries per second, and the median of the rounds' ratios.</summary>
internal sealed record DrainResult(double Ours, double Bare, double Ratio);
