using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;

namespace AspireRedis.Coordination.Tests.RateLimiting;

/// <summary>Callers on several connections that take all that they can get, and when each was permitted.</summary>
internal sealed class Crowd
{
    private const int Callers = 50;

    private readonly ConcurrentQueue<Permit> _permits = new();

    /// <summary>In the order in which they were asked for.</summary>
    public List<Permit> Permits => [.. _permits.OrderBy(p => p.Asked)];

    public int Refused { get; private set; }

    /// <summary>From the first request to the last answer.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>Each client has a wall clock of its own, minutes from the others.</summary>
    public static async Task<Crowd> RunAsync(string connectionString, RedisRateLimit limit, TimeSpan time, int weight = 1)
    {
        var crowd = new Crowd();
        var clients = await Task.WhenAll(Enumerable.Range(-1, 3).Select(
            i => TestClient.ConnectAsync(connectionString, new SkewedClock(TimeSpan.FromMinutes(i)))));
        var limiters = clients.Select(c => c.Limiters.Create(limit.Patient(), "crowd")).ToList();
        var refused = 0;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < time)
            {
                var asked = Stopwatch.GetElapsedTime(start);
                using var lease = await limiters[i % limiters.Count].AcquireAsync(weight);
                Assert.True(lease.TryGetMetadata(RateLimitMetadata.Status, out var status));
                Assert.Equal(RateLimitSource.Redis, status!.Source);
                if (lease.IsAcquired)
                {
                    crowd._permits.Enqueue(new Permit(asked, Stopwatch.GetElapsedTime(start)));
                }
                else
                {
                    Interlocked.Increment(ref refused);
                    Assert.True(lease.TryGetMetadata(MetadataName.RetryAfter, out var after));
                    Assert.InRange(after, TimeSpan.FromMicroseconds(1), TimeSpan.FromMinutes(1));
                }
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));
        (crowd.Refused, crowd.Took) = (refused, Stopwatch.GetElapsedTime(start));
        foreach (var client in clients)
        {
            await client.Limiters.DisposeAsync();
            await client.DisposeAsync();
        }
        return crowd;
    }

    /// <summary>
    /// The most permits that were certainly given within a time of this length, wherever it begins: asked for and answered in it.
    /// </summary>
    public int MostWithin(TimeSpan window)
    {
        var all = Permits;
        return all.Max(first => all.Count(p => p.Asked >= first.Asked && p.Answered <= first.Asked + window));
    }

    internal readonly record struct Permit(TimeSpan Asked, TimeSpan Answered);
}
