using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Faults;

/// <summary>Freezes and kills some of the client processes, one after the other: while they hold a lease, or wait for one.</summary>
internal sealed class ClientFaults(IReadOnlyList<ClientSlot> slots, LiveHistory history, HistoryLog log, TimeSpan ttl, int seed)
{
    private const int Tries = 60;

    private readonly Random _random = new(seed);

    public int Kills { get; private set; }

    public int Freezes { get; private set; }

    public async Task RunAsync(CancellationToken stopping)
    {
        var plan = new Queue<bool>();
        while (!stopping.IsCancellationRequested)
        {
            if (plan.Count == 0)
            {
                // One in three is a kill, however few faults there are.
                bool[] kills = [true, false, false];
                _random.Shuffle(kills);
                plan = new Queue<bool>(kills);
            }
            // All numbers are drawn whatever becomes of the fault, so that a seed means the same plan each time.
            var pause = TimeSpan.FromMilliseconds(_random.Next(200, 1200));
            var slot = slots[_random.Next(slots.Count)];
            var holding = _random.Next(3) > 0;
            var kill = plan.Dequeue();
            // Two of three beyond the TTL, so that somebody else gets the lease meanwhile.
            var frozenFor = ttl * (_random.Next(3) > 0 ? 1.1 + _random.NextDouble() : _random.NextDouble());
            var deadFor = TimeSpan.FromMilliseconds(_random.Next(500));
            await Task.Delay(pause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stopping.IsCancellationRequested)
            {
                return;
            }
            await CatchAsync(slot, holding);
            if (kill)
            {
                slot.Process.Kill();
                log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Killed) { Process = slot.Name });
                Kills++;
                await Task.Delay(deadFor, CancellationToken.None);
                await slot.StartAsync(history, CancellationToken.None);
            }
            else
            {
                Freezes++;
                await Task.Delay(frozenFor, CancellationToken.None);
                slot.Process.Thaw();
                log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Thawed) { Process = slot.Name });
            }
        }
    }

    /// <summary>Freezes a process in the state that is wanted. After many tries any state will do.</summary>
    private async Task CatchAsync(ClientSlot slot, bool holding)
    {
        for (var left = Tries; ; left--)
        {
            var at = HistoryLog.Now;
            await slot.FreezeAsync(CancellationToken.None);
            if (left == 0 || (holding ? history.Holds(slot.Name) : history.Waits(slot.Name) && !history.Holds(slot.Name)))
            {
                log.Write(new HistoryEvent(at, HistoryEventKind.Frozen) { Process = slot.Name, Detail = holding ? "while it holds"
                    : "while it waits" });
                return;
            }
            slot.Process.Thaw();
            // Not of the plan.
            await Task.Delay(Random.Shared.Next(1, 15));
        }
    }
}
