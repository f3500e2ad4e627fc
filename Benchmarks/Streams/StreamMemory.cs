using System.Diagnostics;
using System.Globalization;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>The memory of a consumer process over a long time at 1,000 events a second.</summary>
internal static class StreamMemory
{
    private const string Key = "memory";
    // What grows after this is a leak: until then the runtime compiles, and finds its size.
    private const double WarmUpShare = 0.2;

    public static async Task<MemoryResult> RunAsync(ISuite suite, string connectionString, TimeSpan length)
    {
        await using var client = await StreamClient.ConnectAsync(connectionString);
        await client.Database.StreamCreateConsumerGroupAsync(Key, "g", "0", createStream: true);
        using var worker = Worker.Start(suite, "memory", connectionString, Key, length.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        await Readers.SeenAsync(client, 1);
        await EventSource.AppendAsync(client, Key, (int)(length.TotalSeconds * StreamDelivery.PerSecond), StreamDelivery.PerSecond);
        var output = await Worker.OutputAsync(worker);
        await client.Database.KeyDeleteAsync(Key);
        var samples = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            var parts = line.Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray();
            return new MemorySample(parts[0], parts[1], parts[2]);
        }).ToList();
        var part = Math.Max(1, samples.Count / 10);
        var first = samples.Skip((int)(WarmUpShare * samples.Count)).Take(part).ToList();
        var last = samples.TakeLast(part).ToList();
        return new MemoryResult(samples,
            Statistics.Median(last.Select(s => s.Resident)) - Statistics.Median(first.Select(s => s.Resident)),
            Statistics.Median(last.Select(s => s.Managed)) - Statistics.Median(first.Select(s => s.Managed)));
    }

    /// <summary>A worker process: prints seconds, resident and managed MB, a line a second.</summary>
    public static async Task WorkAsync(string connectionString, string key, TimeSpan length)
    {
        await using var client = await StreamClient.ConnectAsync(connectionString);
        using var stopping = new CancellationTokenSource();
        var consuming = client.ConsumeAsync(key, "g", static _ => { }, stopping.Token);
        var start = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (Stopwatch.GetElapsedTime(start) < length && await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            // What the last collection left: in between it is a saw.
            var managed = GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} {Environment.WorkingSet / 1e6:0.000} {managed / 1e6:0.000}"));
        }
        await stopping.CancelAsync();
        await consuming;
    }
}

/// <summary>Sizes in MB.</summary>
internal sealed record MemorySample(double Seconds, double Resident, double Managed);

/// <summary>The growth in MB from after the warm-up to the end.</summary>
internal sealed record MemoryResult(IReadOnlyList<MemorySample> Samples, double ResidentGrowth, double ManagedGrowth);
