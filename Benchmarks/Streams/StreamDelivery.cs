using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>
/// From append to handler at 1,000 events a second: ours, and a bare loop of blocking <c>XREADGROUP</c> on a connection
/// of its own. In turns, each consumer a process of its own; all clocks are the machine's monotonic one.
/// </summary>
internal static class StreamDelivery
{
    public const int PerSecond = 1000;
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);

    public static async Task<DeliveryResult> RunAsync(ISuite suite, string connectionString, TimeSpan window, int rounds)
    {
        await using var client = await StreamClient.ConnectAsync(connectionString);
        List<double> ours = [], bare = [], ratios = [];
        for (var round = 0; round < rounds; round++)
        {
            var bareTimes = await RoundAsync(suite, client, connectionString, "bare", window);
            var ourTimes = await RoundAsync(suite, client, connectionString, "ours", window);
            var (ourMedian, bareMedian) = (Statistics.Median(ourTimes), Statistics.Median(bareTimes));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  append to handler: p50 ours {ourMedian * 1000:0} us, bare loop {bareMedian * 1000:0} us"));
            ratios.Add(ourMedian / bareMedian);
            ours.AddRange(ourTimes);
            bare.AddRange(bareTimes);
        }
        return new DeliveryResult(ours, bare, Statistics.Median(ratios));
    }

    /// <summary>Milliseconds from append to handler.</summary>
    private static async Task<List<double>> RoundAsync(ISuite suite, StreamClient client, string connectionString, string kind,
        TimeSpan window)
    {
        var key = $"delivery:{kind}";
        var warmUp = (int)(s_warmUp.TotalSeconds * PerSecond);
        var count = warmUp + (int)(window.TotalSeconds * PerSecond);
        await client.Database.KeyDeleteAsync(key);
        await client.Database.StreamCreateConsumerGroupAsync(key, "g", "0", createStream: true);
        using var worker = Worker.Start(suite, kind, connectionString, key, count.ToString(CultureInfo.InvariantCulture));
        await Readers.SeenAsync(client, 1);
        await EventSource.AppendAsync(client, key, count, PerSecond);
        var output = await Worker.OutputAsync(worker);
        await client.Database.KeyDeleteAsync(key);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(warmUp)
            .Select(l => double.Parse(l, CultureInfo.InvariantCulture))];
    }

    /// <summary>A worker process: prints the milliseconds of each event, in the order of arrival.</summary>
    public static async Task WorkAsync(string kind, string connectionString, string key, int count)
    {
        await using var client = await StreamClient.ConnectAsync(connectionString);
        var times = kind == "ours" ? await OursAsync(client, key, count) : await BareAsync(client, key, count);
        foreach (var time in times)
        {
            Console.WriteLine(time.ToString("0.0000", CultureInfo.InvariantCulture));
        }
    }

    private static async Task<double[]> OursAsync(StreamClient client, string key, int count)
    {
        using var stopping = new CancellationTokenSource();
        var times = new double[count];
        var seen = -1;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var consuming = client.ConsumeAsync(key, "g", e =>
        {
            var time = Stopwatch.GetElapsedTime(e.At).TotalMilliseconds;
            var at = Interlocked.Increment(ref seen);
            if (at < count)
            {
                times[at] = time;
            }
            if (at == count - 1)
            {
                all.TrySetResult();
            }
        }, stopping.Token);
        await all.Task.WaitAsync(s_bound);
        await stopping.CancelAsync();
        await consuming;
        return times;
    }

    private static async Task<double[]> BareAsync(StreamClient client, string key, int count)
    {
        var options = ConfigurationOptions.Parse(client.Deployment.Connection.Configuration);
        RedisConnectionDefaults.Apply(options);
        // Above the block time.
        options.AsyncTimeout = 10_000;
        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        var database = connection.GetDatabase();
        var times = new double[count];
        for (var seen = 0; seen < count;)
        {
            var reply = await database.ExecuteAsync("XREADGROUP", "GROUP", "g", "bare", "COUNT", 100, "BLOCK", 5000, "STREAMS",
                (RedisKey)key, ">");
            if (reply.IsNull)
            {
                continue;
            }
            var entries = reply[0][1];
            var ids = new RedisValue[entries.Length];
            for (var i = 0; i < entries.Length; i++)
            {
                ids[i] = (RedisValue)entries[i][0];
                var fields = entries[i][1];
                for (var f = 0; f < fields.Length; f += 2)
                {
                    if ((string?)fields[f] == BenchmarkEvent.AtField)
                    {
                        times[seen++] = Stopwatch.GetElapsedTime((long)fields[f + 1]).TotalMilliseconds;
                    }
                }
            }
            // Not waited for: the next read goes out with it.
            await database.StreamAcknowledgeAsync(key, "g", ids, CommandFlags.FireAndForget);
        }
        return times;
    }
}

/// <summary>Milliseconds from append to handler, and the median of the rounds' ratios of medians.</summary>
internal sealed record DeliveryResult(IReadOnlyList<double> Ours, IReadOnlyList<double> Bare, double Ratio);
