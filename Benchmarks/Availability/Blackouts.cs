using System.Diagnostics;
using AspireRedis.Coordination;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>The primary is killed with SIGKILL under load; how long until a write succeeds again.</summary>
internal static class Blackouts
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    public static async Task<SuiteResult> RunAsync(int rounds)
    {
        await using var deployment = await Deployment.StartAsync();
        var (replica, memory) = (new List<double>(), new List<double>());
        var (afterReplica, afterMemory, afterAnnounced) = (new List<double>(), new List<double>(), new List<double>());
        var lost = 0;
        Chart? chart = null;
        for (var round = 0; round < rounds; round++)
        {
            var primary = await deployment.Redis.CurrentPrimaryAsync();
            await using var roles = await RoleProbe.StartAsync(deployment.Redis, primary);
            var (durableKey, memoryKey) = ($"blackout:{round}:replica", $"blackout:{round}:memory");
            await using var durable = WriteLoad.Start(100, id => deployment.Writer.EvaluateAsync(Scripts.Add, [durableKey], [id],
                Durability.Replica, default));
            await using var light = WriteLoad.Start(100, id => deployment.Writer.EvaluateAsync(Scripts.Add, [memoryKey], [id],
                Durability.Memory, default));
            await Task.Delay(TimeSpan.FromSeconds(1));

            var killed = Stopwatch.GetTimestamp();
            deployment.Redis[primary].Kill();
            var promoted = await roles.Promoted.WaitAsync(s_bound);
            // A write that ended before the promotion was under way when the primary was killed.
            var (backDurable, backLight) = (await durable.FirstSuccessAsync(promoted, s_bound),
                await light.FirstSuccessAsync(promoted, s_bound));
            var announced = await roles.Announced.WaitAsync(s_bound);
            await Task.Delay(TimeSpan.FromSeconds(1));
            await durable.StopAsync();
            await light.StopAsync();

            replica.Add(Milliseconds(killed, backDurable.Ended));
            memory.Add(Milliseconds(killed, backLight.Ended));
            afterReplica.Add(Milliseconds(promoted, backDurable.Ended));
            afterAnnounced.Add(Milliseconds(announced, backDurable.Ended));
            afterMemory.Add(Milliseconds(promoted, backLight.Ended));
            var failed = durable.Samples.Count(s => s.Failed);
            var present = (await deployment.Client.Database.SetMembersAsync(durableKey)).Select(v => (int)v).ToHashSet();
            lost += durable.Samples.Count(s => !s.Failed && !present.Contains(s.Id));
            Console.WriteLine(
                $"  kill -9: promoted after {Milliseconds(killed, promoted):0} ms, announced after {Milliseconds(killed, announced):0} ms; "
                + $"first write after {memory[^1]:0} ms, "
                + $"first on a replica after {replica[^1]:0} ms; {failed} of {durable.Samples.Count} failed");
            chart ??= Timeline.Of("availability-blackout",
                $"A primary killed at 0 s under 100 writes/s at each level: when each write began and how long it took", killed,
                [("level Replica", durable.Samples), ("level Memory", light.Samples)], [("promoted", promoted), ("announced", announced)]);
            await deployment.Redis[primary].StartAsync();
            await deployment.Redis.WaitUntilCompleteAsync();
        }
        return new SuiteResult(
        [
            new("availability.blackout.p50.ms", Statistics.Median(replica), "ms", "at most 3500"),
            new("availability.blackout.max.ms", replica.Max(), "ms", "at most 3500"),
            new("availability.blackout.memory.p50.ms", Statistics.Median(memory), "ms", "at most 3500"),
            new("availability.blackout.memory.max.ms", memory.Max(), "ms", "at most 3500"),
            new("availability.blackout_after_promotion.p50.ms", Statistics.Median(afterMemory), "ms", "at most 300"),
            new("availability.blackout_after_promotion.max.ms", afterMemory.Max(), "ms", "at most 300"),
            new("availability.blackout_after_promotion.replica.p50.ms", Statistics.Median(afterReplica), "ms", ""),
            new("availability.blackout_after_announcement.replica.p50.ms", Statistics.Median(afterAnnounced), "ms", "at most 300"),
            new("availability.blackout_after_announcement.replica.max.ms", afterAnnounced.Max(), "ms", "at most 300"),
            new("availability.blackout.lost", lost, "1", "0"),
        ])
        { Charts = [chart!] };
    }

    private static double Milliseconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
}
