using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;

namespace AspireRedis.Coordination.Tests.Cluster;

/// <summary>
/// Counts in a key without a pause. A count is not repeatable: what the key has at the end is at least what was acknowledged, and at most
/// that and what is unknown.
/// </summary>
internal sealed class CountingLoad : IAsyncDisposable
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<Exception> _failures = new();
    private readonly Func<Task> _write;
    private readonly TimeSpan _pause;
    private readonly Task _running;
    private int _succeeded;
    private int _unknown;
    private long _longest;

    /// <param name="client">Who counts.</param>
    /// <param name="key">Where.</param>
    /// <param name="writer">Has replicas acknowledge each count; null for level Memory.</param>
    /// <param name="pause">Between two counts; default 2 ms.</param>
    public CountingLoad(TestClient client, string key, DurableWriter? writer = null, TimeSpan? pause = null)
    {
        Key = key;
        _pause = pause ?? TimeSpan.FromMilliseconds(2);
        _write = writer is null ? () => client.Deployment.EvaluateAsync(s_count, [key], [])
            : () => writer.EvaluateAsync(s_count, [key], [], Durability.Replica, default);
        _running = Task.Run(RunAsync);
    }

    public string Key { get; }

    public int Succeeded => Volatile.Read(ref _succeeded);

    /// <summary>Those that may have been applied.</summary>
    public int Unknown => Volatile.Read(ref _unknown);

    public IReadOnlyCollection<Exception> Failures => _failures;

    /// <summary>The longest that one count took since <see cref="ForgetLongest"/>, also one that is under way.</summary>
    public TimeSpan Longest => TimeSpan.FromTicks(Volatile.Read(ref _longest));

    public void ForgetLongest() => Volatile.Write(ref _longest, 0);

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _running;
    }

    /// <summary>Stops, and says what is wrong with the key's value; null for nothing.</summary>
    public async Task<string?> CheckAsync(TestClient client)
    {
        await StopAsync();
        var value = (int)await client.Deployment.RunAsync(Key, d => d.StringGetAsync(Key), repeatable: true);
        return value >= Succeeded && value <= Succeeded + Unknown ? null
            : $"{Key} is {value}, with {Succeeded} acknowledged and {Unknown} unknown";
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                await _write();
                Interlocked.Increment(ref _succeeded);
            }
            catch (Exception e)
            {
                _failures.Enqueue(e);
                if (e is NotDurableException || RedisFailure.Of(e) != RedisFailureKind.NotApplied)
                {
                    Interlocked.Increment(ref _unknown);
                }
            }
            var took = Stopwatch.GetElapsedTime(began);
            if (took.Ticks > Volatile.Read(ref _longest))
            {
                Volatile.Write(ref _longest, took.Ticks);
            }
            await Task.Delay(_pause, CancellationToken.None);
        }
    }
}
