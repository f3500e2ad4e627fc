using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>
/// Writes at level Replica through <see cref="DurableWriter"/> against bare ones: the same script, followed by a WAIT of its
/// own, for as many replicas, on a connection of its own for each concurrent writer (both sent at once, so one round trip). In turns.
/// </summary>
internal static class GroupCommit
{
    private const int Concurrency = 50;

    // Those that a Sentinel could promote: as many as the writer waits for.
    private const int Replicas = 2;

    public static async Task<SuiteResult> RunAsync(TimeSpan round)
    {
        await using var deployment = await Deployment.StartAsync();
        var primary = await deployment.Redis.CurrentPrimaryAsync();
        var connections = await Task.WhenAll(Enumerable.Range(0, Concurrency).Select(_ => ConnectionMultiplexer.ConnectAsync(
            deployment.Redis.Topology.ConnectionStringOf(primary), RedisConnectionDefaults.Apply)));
        var (throughput, single, alone) = (new List<double>(), new List<double>(), new List<double>());
        await Round.RunAsync(Concurrency, round, DurableAsync);
        await Round.RunAsync(Concurrency, round, BareWithWaitAsync);
        for (var i = 0; i < 5; i++)
        {
            var bare = await Round.RunAsync(Concurrency, round, BareWithWaitAsync);
            var grouped = await Round.RunAsync(Concurrency, round, DurableAsync);
            throughput.Add(grouped.Count / (double)bare.Count);
            var times = await Round.InTurnAsync(3 * round, () => BareWithWaitAsync(0), () => DurableAsync(0), () => BareAsync(0));
            var (waited, durable, unwaited) = (Statistics.Median(times[0]), Statistics.Median(times[1]), Statistics.Median(times[2]));
            single.Add(durable / waited);
            alone.Add(durable / unwaited);
            Console.WriteLine(
                $"  {Concurrency} writers: {grouped.Count / round.TotalSeconds:0}/s grouped, "
                + $"{bare.Count / round.TotalSeconds:0}/s each with its WAIT; "
                + $"alone p50 {durable * 1000:0} us, with bare WAIT {waited * 1000:0} us, without {unwaited * 1000:0} us");
        }
        await Task.WhenAll(connections.Select(c => c.CloseAsync()));
        return new SuiteResult(
        [
            new($"availability.group_commit{Concurrency}.ratio", Statistics.Median(throughput), "1", "at least 3"),
            new("availability.durable.p50.ratio", Statistics.Median(single), "1", "at most 1.25"),
            new("availability.wait.p50.ratio", Statistics.Median(alone), "1", "at most 2"),
        ]);

        Task DurableAsync(int writer) => deployment.Writer.EvaluateAsync(Scripts.Add, [$"group:{writer}"], [1], Durability.Replica,
            default);

        Task BareAsync(int writer) => connections[writer].GetDatabase().ScriptEvaluateAsync(Scripts.Add.Text, [$"group:{writer}"], [1]);

        async Task BareWithWaitAsync(int writer)
        {
            var database = connections[writer].GetDatabase();
            var write = database.ScriptEvaluateAsync(Scripts.Add.Text, [$"group:{writer}"], [1]);
            if ((long)await database.ExecuteAsync("WAIT", Replicas, 1000) < Replicas)
            {
                throw new InvalidOperationException("The replicas did not acknowledge a bare write.");
            }
            await write;
        }
    }
}
