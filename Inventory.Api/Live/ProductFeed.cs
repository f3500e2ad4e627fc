using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.ServiceDefaults.Live;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// Tells everybody who is connected to this instance of changes of products. However many they are, one connection reads the stream of a
/// partition, and none when there is nobody. One whose server is away holds up nobody but who waits for its products.
/// </summary>
internal sealed class ProductFeed(
    RedisDeployment redis, ProductSnapshots snapshots, ProductKeys keys, TimeProvider clock, ILoggerFactory loggers) : IAsyncDisposable
{
    // Who connects again finds the reader at work.
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_startBound = TimeSpan.FromSeconds(5);

    private readonly StreamTail[] _tails = [.. keys.Partitions.Select(
        p => new StreamTail(redis, keys.Changes(p)!, null, clock, loggers.CreateLogger<StreamTail>()))];
    private readonly WhileListened<Reading> _reading = new(
        static r => r.HasEnded, static r => r.Stopping.CancelAsync(), s_linger, clock);

    /// <summary>Until the streams of these products can be read; null for all.</summary>
    /// <exception cref="TimeoutException">They cannot, within 5 s.</exception>
    public async Task WhenReadyAsync(IReadOnlySet<string>? skus, CancellationToken cancellationToken)
    {
        var reading = _reading.Join(Start);
        try
        {
            await reading.Logs.WhenCaughtUpAsync(PartitionsOf(skus), cancellationToken).WaitAsync(s_startBound, clock, cancellationToken);
        }
        finally
        {
            _reading.Leave();
        }
    }

    /// <summary>The events for one who is connected.</summary>
    /// <param name="after">Of each partition the last change that he has seen; null for none at all.</param>
    /// <param name="skus">Which products; null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(
        ChangeId[]? after, IReadOnlySet<string>? skus, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var logs = _reading.Join(Start).Logs;
        try
        {
            var partitions = PartitionsOf(skus);
            var generations = await logs.WhenCaughtUpAsync(partitions, cancellationToken);
            var at = after ?? [];
            string? reset = after is null ? "start"
                : partitions.Where(p => !logs[p].Contains(at[p])).Select(p => logs[p].IsBeforeAll(at[p]) ? "too-old" : "unknown")
                    .FirstOrDefault();
            while (true)
            {
                if (reset is not null)
                {
                    // A generation only grows, so their sum tells them apart.
                    var snapshot = skus is null ? await snapshots.ReadAllAsync(generations.Sum(), cancellationToken)
                        : await snapshots.ReadAsync(skus, partitions, cancellationToken);
                    var (id, last) = (ChangeId.Join(snapshot.At), snapshot.Products.Count - 1);
                    // The id is on the last of them: who is cut off before it has not seen them all, and begins anew.
                    yield return new SseItem<string>(
                        $$"""{"reason":"{{reset}}","complete":{{(snapshot.IsComplete ? "true" : "false")}}}""", "reset")
                    { EventId = last < 0 ? id : null };
                    for (var i = 0; i <= last; i++)
                    {
                        yield return new SseItem<string>(snapshot.Products[i], "product") { EventId = i == last ? id : null };
                    }
                    (at, reset) = ([.. snapshot.At], null);
                }
                var (more, isAny) = (logs.Changed, false);
                logs.ThrowIfFailed();
                foreach (var partition in partitions)
                {
                    var (changes, generation, isCaughtUp, overrun) = logs[partition].Behind(at[partition]);
                    if (generation != generations[partition])
                    {
                        // Another primary perhaps, that has not all that was told. Until it is read the other partitions go on.
                        if (isCaughtUp)
                        {
                            (generations[partition], isAny) = (generation, true);
                            reset ??= logs[partition].Contains(at[partition]) ? null : "failover";
                        }
                        continue;
                    }
                    if (overrun)
                    {
                        throw new LiveEndException(LiveEnd.Slow);
                    }
                    foreach (var change in LastOfEach(changes, skus))
                    {
                        at[partition] = change.Id;
                        yield return new SseItem<string>(change.Json, "product") { EventId = ChangeId.Join(at) };
                    }
                    if (changes.Count > 0)
                    {
                        (at[partition], isAny) = (changes[^1].Id, true);
                    }
                }
                if (!isAny)
                {
                    await more.WaitAsync(cancellationToken);
                }
            }
        }
        finally
        {
            _reading.Leave();
        }
    }

    public ValueTask DisposeAsync() => _reading.DisposeAsync();

    /// <summary>The last change of each product, in order: whoever has one of them lacks nothing that is before it.</summary>
    private static IEnumerable<ProductChange> LastOfEach(IReadOnlyList<ProductChange> changes, IReadOnlySet<string>? skus)
    {
        if (changes.Count == 1)
        {
            return skus is null || skus.Contains(changes[0].Sku) ? changes : [];
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return changes.Reverse().Where(c => (skus is null || skus.Contains(c.Sku)) && seen.Add(c.Sku)).Reverse().ToList();
    }

    private int[] PartitionsOf(IReadOnlySet<string>? skus) => [.. skus?.Select(keys.PartitionOf).Distinct() ?? keys.Partitions];

    private Reading Start()
    {
        var reading = new Reading(new ProductLogs(keys.PartitionCount, keys.KeptChanges));
        foreach (var partition in keys.Partitions)
        {
            _ = Task.Run(() => RunAsync(reading, partition));
        }
        return reading;
    }

    private async Task RunAsync(Reading reading, int partition)
    {
        try
        {
            await foreach (var batch in _tails[partition].ReadAsync(reading.Stopping.Token))
            {
                reading.Logs.Add(partition, batch);
            }
        }
        catch (Exception e)
        {
            // Whoever reads from it hears why; who comes next begins anew.
            reading.HasEnded = true;
            reading.Logs.Fail(e);
            await reading.Stopping.CancelAsync();
        }
    }

    private sealed class Reading(ProductLogs logs)
    {
        private volatile bool _hasEnded;

        public ProductLogs Logs { get; } = logs;

        public CancellationTokenSource Stopping { get; } = new();

        public bool HasEnded
        {
            get => _hasEnded;
            set => _hasEnded = value;
        }
    }
}
