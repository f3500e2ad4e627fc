using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.RateLimiting.Concurrency;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

public sealed class PartitionTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly string[] s_hostile =
    [
        "", " ", "{", "}", "{}", "a}b", "{a}", "}{", "~", "~abc", "a\0b", "a\nb", "*", "a:b", "\ud83e\udd84", "é", "e\u0301",
        new string('x', 100), new string('x', 101), new string('x', 100_000), "'; redis.call('FLUSHALL') --", "2001:db8::1", "::ffff:127.0.0.1",
    ];

    [Fact]
    public async Task Partitions_of_any_name_have_a_limit_each_and_a_short_key()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.CreatePartitioned<string>(
            new FixedWindowLimit { Policy = "hostile", PermitLimit = 1, Window = TimeSpan.FromMinutes(5) }.Patient(), partition => partition);
        foreach (var partition in s_hostile)
        {
            using var first = await limiter.AcquireAsync(partition);
            Assert.True(first.IsAcquired, partition);
            using var second = await limiter.AcquireAsync(partition);
            Assert.False(second.IsAcquired, partition);
        }
        var keys = await client.KeysOfLimitsAsync("hostile");
        Assert.Equal(s_hostile.Length, keys.Count);
        Assert.All(keys, k => Assert.True(k.Length < 150, k));
    }

    [Fact]
    public void The_keys_of_a_limit_of_concurrency_are_in_one_slot()
    {
        foreach (var partition in s_hostile)
        {
            var keys = new ConcurrencyScripts(1, false).KeysOf(PartitionKeys.Of("p", partition));
            Assert.Single(keys.Select(k => TagOf((string)k!)).Distinct());
            Assert.Equal(3, keys.Select(k => (string)k!).Distinct().Count());
        }
    }

    [Fact]
    public async Task Keys_expire_when_nothing_is_used_any_more()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        RedisRateLimit[] limits =
        [
            new TokenBucketLimit { Policy = "expiring", TokenLimit = 10, TokensPerPeriod = 10 },
            new FixedWindowLimit { Policy = "expiring", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
            new SlidingWindowLimit { Policy = "expiring", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
        ];
        for (var i = 0; i < limits.Length; i++)
        {
            await using var limiter = client.Limiters.Create(limits[i].Patient(), $"{i}");
            using var lease = await limiter.AcquireAsync(10);
            Assert.True(lease.IsAcquired);
            Assert.InRange((await client.Database.KeyTimeToLiveAsync($"ratelimit:expiring:{{{i}}}"))!.Value,
                TimeSpan.Zero, TimeSpan.FromSeconds(1.1));
        }
        await Eventually.TrueAsync(async () => (await client.KeysOfLimitsAsync("expiring")).Count == 0, "they are gone");
        await using var held = client.Limiters.Create(new ConcurrencyLimit { Policy = "expiring", PermitLimit = 1 }.Patient(), "held");
        using var permit = await held.AcquireAsync();
        Assert.Equal(2, (await client.KeysOfLimitsAsync("expiring")).Count);
        foreach (var key in await client.KeysOfLimitsAsync("expiring"))
        {
            Assert.InRange((await client.Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
        }
    }

    [Fact]
    public async Task Ten_thousand_partitions_cost_nothing_once_they_are_idle()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var made = new List<WeakReference>();
        var limit = new TokenBucketLimit { Policy = "many", TokenLimit = 5, TokensPerPeriod = 5 }.Patient();
        await using var limiter = PartitionedRateLimiter.Create<int, string>(customer => RateLimitPartition.Get($"{customer}", partition =>
        {
            var created = client.Limiters.Create(limit, partition);
            lock (made)
            {
                made.Add(new WeakReference(created));
            }
            return created;
        }));
        await Parallel.ForAsync(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (customer, stopping) =>
        {
            using var lease = await limiter.AcquireAsync(customer, 1, stopping);
            Assert.True(lease.IsAcquired);
        });
        Assert.Equal(10_000, made.Count);
        await Eventually.TrueAsync(() =>
        {
            GC.Collect();
            return made.Count(m => m.IsAlive) < 100;
        }, "idle limiters are collected", TimeSpan.FromSeconds(60));
        await Eventually.TrueAsync(async () => (await client.KeysOfLimitsAsync("many")).Count == 0, "and their keys are gone");
    }

    /// <summary>What Redis Cluster hashes of a key.</summary>
    private static string TagOf(string key)
    {
        var open = key.IndexOf('{', StringComparison.Ordinal);
        var close = open < 0 ? -1 : key.IndexOf('}', open + 1);
        return close > open + 1 ? key[(open + 1)..close] : key;
    }
}
