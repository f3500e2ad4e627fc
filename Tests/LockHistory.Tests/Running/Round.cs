using AspireRedis.Coordination;
using AspireRedis.LocalServers;
using AspireRedis.LockHistory.Checking;
using AspireRedis.Puppet.Contending;
using AspireRedis.LockHistory.Faults;
using AspireRedis.Topology;

namespace AspireRedis.LockHistory.Running;

/// <summary>One history: several client processes contend for a few resources while faults are made; then it is judged.</summary>
public static class Round
{
    private const int Processes = 4;
    private const int ContendersPerProcess = 4;

    private static readonly string[] s_resources = ["stock:{chair}", "stock:{table}", "stock:{lamp}"];

    private static readonly TimeSpan s_endBound = TimeSpan.FromSeconds(60);

    /// <param name="system">Which lock, on which deployment.</param>
    /// <param name="seed">Which faults.</param>
    /// <param name="time">
    /// How long faults are made; those under way are still brought to an end, and then everybody has a turn in calm.
    /// </param>
    /// <param name="directory">Where the histories are written.</param>
    public static async Task<RoundResult> RunAsync(LockSystem system, int seed, TimeSpan time, string directory)
    {
        Directory.CreateDirectory(directory);
        await using var redis = await LocalRedis.StartAsync(
            RedisTopology.Create(system.Redis), Directory.CreateTempSubdirectory("lock-history-").FullName, deleteDirectory: true);
        // Where its Sentinels may be replaced. Clients are told of both: one that starts meanwhile must find somebody.
        var spare = RedisTopology.Create(system.Redis).Sentinels;
        using var log = new HistoryLog(Path.Combine(directory, "faults.jsonl"), process: null);
        var history = new LiveHistory(directory);
        var slots = Enumerable.Range(1, Processes).Select(n => new ClientSlot(n, Options, directory)).ToArray();
        try
        {
            await Task.WhenAll(slots.Select(s => s.StartAsync(history, CancellationToken.None)));

            using var over = new CancellationTokenSource(time);
            // Each has its own processes: up to half of them are down at a time.
            var clientFaults = slots.Chunk(Processes / 2)
                .Select((own, i) => new ClientFaults(own, history, log, system.Ttl, unchecked((seed * 3) + i))).ToArray();
            var redisFaults = new RedisFaults(redis, system, s_resources, [redis.Topology.Sentinels, spare], slots, history, log,
                unchecked((seed * 3) + 2));
            await Task.WhenAll([redisFaults.RunAsync(over.Token), .. clientFaults.Select(f => f.RunAsync(over.Token))]);

            log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Calm));
            await WaitForTurnsAsync(system, slots, history);
            log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Stopping));
            // Who does not end is killed, and the checker finds what it left open.
            await Task.WhenAll(slots.Select(s => StopAsync(s)));

            return Judge(
                system, seed, history, await StoreLogsAsync(redis.Topology.ConnectionString),
                clientFaults.Sum(f => f.Kills), clientFaults.Sum(f => f.Freezes), redisFaults.Made);
        }
        finally
        {
            foreach (var slot in slots)
            {
                await slot.DisposeAsync();
            }
        }

        ClientOptions Options(string name, int number) => new()
        {
            Process = name,
            HistoryFile = Path.Combine(directory, $"{name}.jsonl"),
            Lock = system.Lock,
            ConnectionString = string.Join(',', [.. spare.Select(s => $"{s.Address}"), redis.Topology.ConnectionString]),
            LockNodes = redis.Topology.LockNodeConnectionStrings,
            Resources = s_resources,
            Contenders = ContendersPerProcess,
            TtlMilliseconds = (int)system.Ttl.TotalMilliseconds,
            ClaimMilliseconds = (int)system.ClaimTime.TotalMilliseconds,
            Seed = unchecked((seed * 31) + number),
        };
    }

    private static async Task WaitForTurnsAsync(LockSystem system, ClientSlot[] slots, LiveHistory history)
    {
        var calm = HistoryLog.Now;
        var until = calm + (long)system.Checks.TurnBound.TotalNanoseconds;
        var contenders = slots.SelectMany(s => Enumerable.Range(1, ContendersPerProcess).Select(n => $"{s.Name}.{n}")).ToArray();
        while (HistoryLog.Now <= until && !contenders.All(c => history.LastTurn(c) > calm))
        {
            await Task.Delay(Poll.Interval);
        }
    }

    private static async Task StopAsync(ClientSlot slot)
    {
        try
        {
            await slot.Process.StopAsync(s_endBound);
        }
        catch (TimeoutException)
        {
            // Killed; its attempts that are not over say so.
        }
    }

    private static async Task<IReadOnlyDictionary<string, IReadOnlyList<(long Token,
        string Write)>>> StoreLogsAsync(string connectionString)
    {
        await using var deployment = await RedisDeployment.ConnectAsync(connectionString);
        var store = new Store(deployment);
        var logs = new Dictionary<string, IReadOnlyList<(long, string)>>();
        foreach (var resource in s_resources)
        {
            logs.Add(resource, await store.LogAsync(resource));
        }
        return logs;
    }

    private static RoundResult Judge(
        LockSystem system, int seed, LiveHistory live, IReadOnlyDictionary<string, IReadOnlyList<(long Token, string Write)>> storeLogs,
        int kills, int freezes, IReadOnlyList<string> faults)
    {
        var history = History.From(live.Events.OrderBy(e => e.At), storeLogs);
        return new RoundResult(system, seed, history, HistoryChecker.Check(history, system.Checks), kills, freezes, faults);
    }
}
