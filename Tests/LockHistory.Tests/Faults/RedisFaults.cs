using System.Globalization;
using AspireRedis.LocalServers;
using AspireRedis.Puppet.Contending;
using AspireRedis.LockHistory.Running;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.LockHistory.Faults;

/// <summary>Injects the faults of Redis one after the other, and each time waits until the deployment is complete again.</summary>
internal sealed class RedisFaults(LocalRedis redis, LockSystem system, IReadOnlyList<string> resources,
    IReadOnlyList<RedisNode>[] sentinels, IReadOnlyList<ClientSlot> slots, LiveHistory history, HistoryLog log, int seed)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);

    // What Sentinel does before a new primary is seen: it finds the old one down, elects a leader and promotes a replica.
    private static readonly TimeSpan s_failover = TimeSpan.FromSeconds(10);

    // Sentinel holds a primary for dead after two seconds of silence at the earliest.
    private static readonly TimeSpan s_slightlyAhead = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan s_farAhead = TimeSpan.FromMinutes(10);

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
        var node = kind is RedisFaultKind.KillReplica or RedisFaultKind.ReplaceSentinels or RedisFaultKind.ReplaceSentinelsWithoutReset
            ? redis.Topology.Servers.First(n => n != primary) : primary;
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
            case RedisFaultKind.ClockBehind or RedisFaultKind.ClockFarBehind:
                await SetClockAheadAsync(node, kind == RedisFaultKind.ClockBehind ? s_slightlyAhead : s_farAhead);
                await Task.Delay(Scaled(300, 800));
                redis[node].Kill();
                await redis.WaitForPrimaryOtherThanAsync(node);
                await redis[node].StartAsync();
                break;
            case RedisFaultKind.ReplaceSentinels or RedisFaultKind.ReplaceSentinelsWithoutReset:
                var others = Array.Find(sentinels, s => s[0].Address != redis.Topology.Sentinels[0].Address)!;
                await redis.ReplaceSentinelsAsync(s => others.First(o => o.Name == s.Name).Address,
                    reset: kind == RedisFaultKind.ReplaceSentinels);
                redis[node].Kill();
                var served = await HaveTurnsAsync(HistoryLog.Now);
                await redis[node].StartAsync();
                if (!served)
                {
                    // Without the events the checker finds that somebody was forgotten.
                    return;
                }
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
        if (await HaveTurnsAsync(complete))
        {
            // Without the event the checker finds that somebody was forgotten.
            log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Settled));
        }
    }

    /// <summary>Whether every process has a turn since then, within the bound for it.</summary>
    private async Task<bool> HaveTurnsAsync(long since)
    {
        var until = HistoryLog.Now + (long)system.Checks.TurnBound.TotalNanoseconds;
        while (!slots.All(s => history.LastTurn(s.Name) > since))
        {
            if (HistoryLog.Now > until)
            {
                return false;
            }
            await Task.Delay(Poll.Interval);
        }
        return true;
    }

    /// <summary>
    /// Has the primary give tokens as one does whose clock is ahead, and no replica get any of them. Its clock is not changed: the last
    /// token is set ahead, which the replicas get before they are shut out.
    /// </summary>
    private async Task SetClockAheadAsync(RedisNode primary, TimeSpan ahead)
    {
        const string Script =
            """
            for _, fence in ipairs(KEYS) do
              local time, last = redis.call('TIME'), redis.call('GET', fence)
              local token = (tonumber(time[1]) + tonumber(ARGV[1])) * 1000000 + tonumber(time[2])
              -- A mark behind the token says that somebody waits.
              redis.call('SET', fence, string.format('%.0f', token) .. (last and string.match(last, '%a*$') or ''), 'PX', 96400000)
            end
            """;
        await using var connection = await ConnectionMultiplexer.ConnectAsync(
            $"{redis.Topology.ConnectionStringOf(primary)},allowAdmin=true");
        var database = connection.GetDatabase();
        await database.ScriptEvaluateAsync(Script, [.. resources.Select(r => (RedisKey)$"{r}:fence")],
            [ahead.TotalSeconds.ToString(CultureInfo.InvariantCulture)]);
        await database.ExecuteAsync("WAIT", redis.Topology.Replicas.Count, 2000);
        await database.ExecuteAsync("ACL", "SETUSER", "default", "-psync", "-sync");
        await database.ExecuteAsync("CLIENT", "KILL", "TYPE", "replica");
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
