using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Switchover;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>
/// A planned switchover and a bare SENTINEL FAILOVER under 200 writes/s. The bare one also with StackExchange.Redis as it
/// comes, which writes on to the old primary.
/// </summary>
internal static class Switchovers
{
    private const int PerSecond = 200;

    public static async Task<SuiteResult> RunAsync(int rounds)
    {
        await using var deployment = await Deployment.StartAsync();
        var (failed, lost, longest) = (0, 0, 0.0);
        Chart? chart = null;
        for (var round = 0; round < rounds; round++)
        {
            var key = $"switchover:{round}";
            await using var load = WriteLoad.Start(PerSecond,
                id => deployment.Writer.EvaluateAsync(Scripts.Add, [key], [id], Durability.Replica, default));
            await Task.Delay(TimeSpan.FromSeconds(1));
            var began = Stopwatch.GetTimestamp();
            var result = await new PlannedSwitchover(deployment.Options, NullLogger<PlannedSwitchover>.Instance).RunAsync();
            await Task.Delay(TimeSpan.FromSeconds(1));
            await load.StopAsync();
            failed += load.Samples.Count(s => s.Failed);
            longest = Math.Max(longest, load.Samples.Max(s => s.Milliseconds));
            lost += await LostAsync(deployment, load, key);
            Console.WriteLine(
                $"  switchover: servers paused {result.Paused.TotalMilliseconds:0} ms, "
                + $"longest write {load.Samples.Max(s => s.Milliseconds):0} ms, "
                + $"{load.Samples.Count(s => s.Failed)} of {load.Samples.Count} failed");
            chart ??= Timeline.Of("availability-switchover", $"A planned switchover at 0 s under {PerSecond} writes/s at level Replica",
                began, [("level Replica", load.Samples)], []);
            await deployment.Redis.WaitUntilCompleteAsync();
        }
        var (ownFailed, ownLost) = await PlainAsync(deployment, "plain:own",
            id => deployment.Writer.EvaluateAsync(Scripts.Add, ["plain:own"], [id], Durability.Replica, default));
        await using var stock = await ConnectionMultiplexer.ConnectAsync(deployment.Options);
        var (stockFailed, stockLost) = await PlainAsync(deployment, "plain:stock",
            id => stock.GetDatabase().SetAddAsync("plain:stock", id));
        Console.WriteLine(
            $"  SENTINEL FAILOVER: {ownFailed} failed and {ownLost} lost at level Replica; "
            + $"{stockFailed} failed and {stockLost} lost with StackExchange.Redis as it comes");
        return new SuiteResult(
        [
            new("availability.switchover.failed", failed, "1", "0"),
            new("availability.switchover.lost", lost, "1", "0"),
            new("availability.switchover.max_wait.ms", longest, "ms", "at most 1000"),
            new("availability.plain_failover.failed", ownFailed, "1", ""),
            new("availability.plain_failover.lost", ownLost, "1", "0"),
            new("availability.plain_failover.stock_client.lost", stockLost, "1", ""),
        ])
        { Charts = [chart!] };
    }

    private static async Task<(int Failed, int Lost)> PlainAsync(Deployment deployment, string key, Func<int, Task> write)
    {
        await using var load = WriteLoad.Start(PerSecond, write);
        await Task.Delay(TimeSpan.FromSeconds(1));
        await deployment.PlainFailoverAsync();
        // Until Sentinel has demoted the old primary and the writes that it accepted are lost.
        await Task.Delay(TimeSpan.FromSeconds(15));
        await load.StopAsync();
        await deployment.Redis.WaitUntilCompleteAsync();
        return (load.Samples.Count(s => s.Failed), await LostAsync(deployment, load, key));
    }

    private static async Task<int> LostAsync(Deployment deployment, WriteLoad load, string key)
    {
        var present = (await deployment.Client.Database.SetMembersAsync(key)).Select(v => (int)v).ToHashSet();
        return load.Samples.Count(s => !s.Failed && !present.Contains(s.Id));
    }
}
