namespace AspireRedis.Benchmarks.RateLimits;

/// <summary>How long a decision takes that permits, against one bare script call on the same connection, in turns.</summary>
internal static class Decisions
{
    // Never reached: each decision permits, and writes.
    private const int Permits = 100_000_000;

    private static readonly TimeSpan s_time = TimeSpan.FromMinutes(1);

    public static async Task<IReadOnlyList<Measurement>> RunAsync(
        string connectionString, LimitKind kind, int concurrency, TimeSpan round, string target)
    {
        await using var client = await LimitClient.ConnectAsync(connectionString);
        await client.PrepareAsync();
        var limiters = Enumerable.Range(0, concurrency).Select(i => kind.Create(client, $"decisions-{concurrency}-{i}", Permits, s_time)).ToList();
        await Round.RunAsync(concurrency, round, client.CountAsync);
        await Round.RunAsync(concurrency, round, DecideAsync);
        List<double> ratios = [], rates = [];
        for (var i = 0; i < 5; i++)
        {
            var bare = await Round.RunAsync(concurrency, round, client.CountAsync);
            var decided = await Round.RunAsync(concurrency, round, DecideAsync);
            var (bareMs, decidedMs) = (Statistics.Median(bare), Statistics.Median(decided));
            Console.WriteLine($"  {kind.Name} at {concurrency}: decision p50 {decidedMs * 1000:0} us, script call {bareMs * 1000:0} us");
            ratios.Add(decidedMs / bareMs);
            rates.Add(decided.Count / round.TotalSeconds);
        }
        limiters.ForEach(l => l.Dispose());
        var name = kind.Name.StartsWith("peer", StringComparison.Ordinal) ? kind.Name : $"ratelimit.{kind.Name}";
        var at = concurrency == 1 ? "" : $".c{concurrency}";
        return
        [
            new Measurement($"{name}.p50.ratio{at}", Statistics.Median(ratios), "1", target),
            new Measurement($"{name}.rate{at}", Statistics.Median(rates), "1/s", "reported"),
        ];

        async Task DecideAsync(int worker)
        {
            using var lease = await limiters[worker].AcquireAsync();
            if (!lease.IsAcquired)
            {
                throw new InvalidOperationException("A decision within the limit was not permitted.");
            }
        }
    }
}
