using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.ServiceDefaults.Live;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// Tells everybody who is connected to this instance of changes of products. However many they are, one connection reads the stream, and
/// none when there is nobody.
/// </summary>
internal sealed class ProductFeed(
    RedisDeployment redis, ProductSnapshots snapshots, TimeProvider clock, ILoggerFactory loggers) : IAsyncDisposable
{
    // Who connects again finds the reader at work.
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_startBound = TimeSpan.FromSeconds(5);

    private readonly StreamTail _tail = new(redis, ProductChanges.Stream!, null, clock, loggers.CreateLogger<StreamTail>());
    private readonly WhileListened<Reading> _reading = new(
        static r => r.HasEnded, static r => r.Stopping.CancelAsync(), s_linger, clock);

    /// <summary>Until the stream can be read.</summary>
    /// <exception cref="TimeoutException">It cannot, within 5 s.</exception>
    public async Task WhenReadyAsync(CancellationToken cancellationToken)
    {
        var reading = _reading.Join(Start);
        try
        {
            await reading.Log.WhenCaughtUpAsync(cancellationToken).WaitAsync(s_startBound, clock, cancellationToken);
        }
        finally
        {
            _reading.Leave();
        }
    }

    /// <summary>The events for one who is connected.</summary>
    /// <param name="after">The last event that he has seen; null for none.</param>
    /// <param name="skus">Which products; null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(
        ChangeId? after, IReadOnlySet<string>? skus, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var log = _reading.Join(Start).Log;
        try
        {
            var generation = await log.WhenCaughtUpAsync(cancellationToken);
            var at = after ?? ChangeId.None;
            string? reset = after is null ? "start" : log.Contains(at) ? null : log.IsBeforeAll(at) ? "too-old" : "unknown";
            while (true)
            {
                if (reset is not null)
                {
                    var snapshot = skus is null ? await snapshots.ReadAllAsync(generation, cancellationToken)
                        : await snapshots.ReadAsync(skus, cancellationToken);
                    var last = snapshot.Products.Count - 1;
                    // The id is on the last of them: who is cut off before it has not seen them all, and begins anew.
                    yield return new SseItem<string>(
                        $$"""{"reason":"{{reset}}","complete":{{(snapshot.IsComplete ? "true" : "false")}}}""", "reset")
                    { EventId = last < 0 ? snapshot.At.ToString() : null };
                    for (var i = 0; i <= last; i++)
                    {
                        yield return new SseItem<string>(snapshot.Products[i], "product")
                        {
                            EventId = i == last ? snapshot.At.ToString() : null,
                        };
                    }
                    (at, reset) = (snapshot.At, null);
                }
                var (changes, more, current, overrun) = log.Behind(at);
                if (current != generation)
                {
                    // Another primary perhaps, that has not all that was told.
                    generation = await log.WhenCaughtUpAsync(cancellationToken);
                    reset = log.Contains(at) ? null : "failover";
                    continue;
                }
                if (overrun)
                {
                    throw new LiveEndException(LiveEnd.Slow);
                }
                foreach (var change in LastOfEach(changes, skus))
                {
                    yield return new SseItem<string>(change.Json, "product") { EventId = change.Id.ToString() };
                }
                if (changes.Count > 0)
                {
                    at = changes[^1].Id;
                    continue;
                }
                await more.WaitAsync(cancellationToken);
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

    private Reading Start()
    {
        var reading = new Reading();
        _ = Task.Run(() => RunAsync(reading));
        return reading;
    }

    private async Task RunAsync(Reading reading)
    {
        try
        {
            await foreach (var batch in _tail.ReadAsync(reading.Stopping.Token))
            {
                reading.Log.Add(batch);
            }
        }
        catch (Exception e)
        {
            // Whoever reads from it hears why; who comes next begins anew.
            reading.HasEnded = true;
            reading.Log.Fail(e);
        }
    }

    private sealed class Reading
    {
        private volatile bool _hasEnded;

        public ProductLog Log { get; } = new();

        public CancellationTokenSource Stopping { get; } = new();

        public bool HasEnded
        {
            get => _hasEnded;
            set => _hasEnded = value;
        }
    }
}
