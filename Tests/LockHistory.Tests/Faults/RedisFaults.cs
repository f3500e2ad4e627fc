using AspireRedis.LocalServers;
using AspireRedis.Puppet.Contending;
using AspireRedis.LockHistory.Running;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.LockHistory.Faults;

/// <summary>Injects the faults of Redis one after the other, and each time waits until the deployment is complete again.</summary>
internal sealed class RedisFaults(LocalRedis redis, LockSystem system, IReadOnlyList<ClientSlot> slots, LiveHistory history,
    HistoryLog log, int seed)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);

    // What Sentinel does before a new primary is seen: it finds the old one down, elects a leader and promotes a replica.
    private static readonly TimeSpan s_failover = TimeSpan.FromSeconds(10);

    private readonly Random _random = new(seed);
    private RedisNode? _primary;

    public List<string> Made { get; } = [];

    public async Task RunAsync(CancellationToken stopping)
    {
        var plan = new Queue<RedisFaultKind>();
        _primary = await redis.CurrentPrimaryAsync(CancellationToken.None);
        while (!stopping.IsCancellationRequested && system.Faults.Count > 0)
        {
            if (plan.Count == 0)
            {
                // All kinds once before one comes again.
                var kinds = system.Faults.ToArray();
                _random.Shuffle(kinds);
                plan = new Queue<RedisFaultKind>(kinds);
            }
            var pause = TimeSpan.FromMilliseconds(_random.Next(1000, 3000));
            var length = _random.NextDouble();
            await WatchAsync(pause, stopping);
            if (!stopping.IsCancellationRequested)
            {
                await MakeAsync(plan.Dequeue(), length);
            }
        }
    }

    /// <summary>Looks for failovers that nobody asked for, as when the machine was too busy for the primary to answer Sentinel.</summary>
    public async Task WatchAsync(TimeSpan time, CancellationToken stopping)
    {
        var until = HistoryLog.Now + (long)time.TotalNanoseconds;
        do
        {
            if (await redis.CurrentPrimaryAsync(CancellationToken.None) is var now && now != _primary)
            {
                log.Write(new HistoryEvent(HistoryLog.Now - (long)s_failover.TotalNanoseconds, HistoryEventKind.FaultBegan)
                {
                    Detail = $"unasked failover from {_primary!.Name} to {now.Name}",
                });
                Made.Add("Unasked");
                await WaitUntilSettledAsync();
            }
            await Task.Delay(s_look, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (HistoryLog.Now < until && !stopping.IsCancellationRequested);
    }

    private async Task MakeAsync(RedisFaultKind kind, double length)
    {
        var primary = _primary!;
        if (kind is RedisFaultKind.KillLockNodes or RedisFaultKind.FreezeLockNodes)
        {
            await MakeAsync(kind, length, [.. redis.Topology.LockNodes]);
            return;
        }
        var node = kind == RedisFaultKind.KillReplica ? redis.Topology.Servers.First(n => n != primary) : primary;
        var fails = redis.Topology.Sentinels.Count > 0;
        log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.FaultBegan) { Detail = $"{kind} {node.Name}" });
        Made.Add(kind.ToString());
        switch (kind)
        {
            case RedisFaultKind.Kill or RedisFaultKind.KillReplica:
                redis[node].Kill();
                await (kind == RedisFaultKind.Kill && fails ? redis.WaitForPrimaryOtherThanAsync(node) : Task.Delay(Scaled(200, 1500)));
                await redis[node].StartAsync();
                break;
            case RedisFaultKind.Freeze:
                redis[node].Freeze();
                await redis.WaitForPrimaryOtherThanAsync(node);
                await Task.Delay(Scaled(0, 4000));
                redis[node].Thaw();
                break;
            case RedisFaultKind.Pause:
                redis[node].Freeze();
                await Task.Delay(fails ? Scaled(200, 1000) : Scaled(200, 3000));
                redis[node].Thaw();
                break;
            case RedisFaultKind.Failover:
                await FailOverAsync();
                await redis.WaitForPrimaryOtherThanAsync(node);
                break;
            default:
                throw new InvalidOperationException($"{kind} is not a fault of one deployment.");
        }
        await WaitUntilSettledAsync();

        TimeSpan Scaled(int from, int to) => TimeSpan.FromMilliseconds(from + (length * (to - from)));
    }

    /// <summary>To a minority of the nodes of Redlock.</summary>
    private async Task MakeAsync(RedisFaultKind kind, double length, RedisNode[] nodes)
    {
        _random.Shuffle(nodes);
        var minority = nodes.Take(1 + _random.Next((nodes.Length - 1) / 2)).ToArray();
        log.Write(new HistoryEvent(HistoryLog.Now,
            HistoryEventKind.FaultBegan) { Detail = $"{kind} {string.Join(' ', minority.Select(n => n.Name))}" });
        Made.Add(kind.ToString());
        foreach (var node in minority)
        {
            if (kind == RedisFaultKind.KillLockNodes)
            {
                redis[node].Kill();
            }
            else
            {
                redis[node].Freeze();
            }
        }
        // From less than a TTL to several.
        await Task.Delay(TimeSpan.FromMilliseconds(300 + (length * 4000)));
        foreach (var node in minority)
        {
            redis[node].Thaw();
            await redis[node].StartAsync();
        }
        await WaitUntilSettledAsync();
    }

    private async Task WaitUntilSettledAsync()
    {
        await redis.WaitUntilCompleteAsync();
        var now = await redis.CurrentPrimaryAsync();
        var complete = HistoryLog.Now;
        log.Write(new HistoryEvent(complete, HistoryEventKind.Complete) { Detail = now == _primary ? null : now.Name });
        _primary = now;
        var until = complete + (long)system.Checks.TurnBound.TotalNanoseconds;
        while (!slots.All(s => history.LastTurn(s.Name) > complete))
        {
            if (HistoryLog.Now > until)
            {
                // Without the event the checker finds that somebody was forgotten.
                return;
            }
            await Task.Delay(Poll.Interval);
        }
        log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Settled));
    }

    private async Task FailOverAsync()
    {
        var sentinel = redis.Topology.Sentinels[_random.Next(redis.Topology.Sentinels.Count)];
        var options = ConfigurationOptions.Parse(sentinel.Address.ToString());
        options.CommandMap = CommandMap.Sentinel;
        options.TieBreaker = "";
        options.ServiceName = null;
        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        // Refused for a while after the last one.
        await Eventually.HoldsAsync(
            () => connection.GetServers()[0].SentinelFailoverAsync(redis.Topology.Options.ServiceName), "Sentinel begins a failover");
    }
}
