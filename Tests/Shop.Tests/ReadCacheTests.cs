using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;
using ZiggyCreatures.Caching.Fusion;

namespace AspireRedis.Shop.Tests;

/// <summary>The cache of the services, in several instances on one Redis.</summary>
public sealed class ReadCacheTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    private const string Key = "entry";

    private readonly string _name = $"cache-{Guid.NewGuid():N}";
    private readonly List<CacheInstance> _instances = [];
    private int _loads;
    private int _truth = 1;
    private volatile bool _storeIsAway;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }
    }

    [Fact]
    public async Task One_instance_loads_for_a_thousand_readers_of_three()
    {
        await StartAsync(3);

        Assert.All(await ReadAtOnceAsync(1000), value => Assert.Equal(1, value));
        Assert.Equal(1, _loads);

        _truth = 2;
        await _instances[0].Cache.ExpireAsync(Key);
        await Eventually.HoldsAsync(async () =>
        {
            foreach (var instance in _instances)
            {
                Assert.False((await instance.Cache.TryGetAsync<int>(Key)).HasValue);
            }
        }, "All instances have heard of the change");
        Assert.All(await ReadAtOnceAsync(1000), value => Assert.Equal(2, value));
        Assert.Equal(2, _loads);
    }

    [Fact]
    public async Task A_change_of_which_no_message_tells_is_seen_when_the_entry_is_too_old()
    {
        var bound = TimeSpan.FromSeconds(1);
        await StartAsync(2, ("MaxStaleness", "00:00:01"));
        await ReadAtOnceAsync(2);
        var changed = Stopwatch.GetTimestamp();
        _truth = 2;
        var untold = _instances[0].Cache.DefaultEntryOptions.Duplicate().SetSkipBackplaneNotifications(true);
        await _instances[0].Cache.ExpireAsync(Key, untold);
        Assert.Equal(2, await ReadAsync(_instances[0], untold));

        await Eventually.HoldsAsync(async () => Assert.Equal(2, await ReadAsync(_instances[1])), "The other instance sees the change");

        // And a second for a machine that is busy.
        Assert.InRange(Stopwatch.GetElapsedTime(changed), TimeSpan.Zero, bound + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task While_Redis_is_away_what_was_known_is_served_until_it_is_too_old()
    {
        var bound = TimeSpan.FromSeconds(3);
        await StartAsync(1, ("MaxStaleness", "00:00:00.5"), ("MaxStalenessWithoutStore", "00:00:03"), ("RetryAfter", "00:00:00.2"));
        ConcurrentDictionary<string, long> counts = new();
        using var metrics = Listen(counts);
        var server = redis.Redis[redis.Redis.Topology.Primary];
        Assert.Equal(1, await ReadAsync(_instances[0]));
        var loaded = Stopwatch.GetTimestamp();
        _storeIsAway = true;
        _truth = 2;
        server.Kill();
        try
        {
            var served = TimeSpan.Zero;
            while (true)
            {
                var age = Stopwatch.GetElapsedTime(loaded);
                Assert.True(age < bound * 5, $"It is served after {age}.");
                try
                {
                    Assert.Equal(1, await ReadAsync(_instances[0]));
                    served = age;
                }
                catch (RedisConnectionException)
                {
                    break;
                }
                await Task.Delay(50);
            }
            Assert.InRange(served, bound / 2, bound + TimeSpan.FromMilliseconds(100));
        }
        finally
        {
            await server.StartAsync();
        }
        // What docs/glue.md says of the dashboard.
        Assert.Equal(1, counts["fusioncache.factory.success"]);
        Assert.True(counts["fusioncache.factory.error"] > 0 && counts["fusioncache.failsafe_activate"] > 0);
        Assert.True(counts["fusioncache.cache.hit stale"] > 0 && counts["fusioncache.cache.miss"] > 0);
        _storeIsAway = false;
        await Eventually.HoldsAsync(async () => Assert.Equal(2, await ReadAsync(_instances[0])), "The store is read again");
    }

    private MeterListener Listen(ConcurrentDictionary<string, long> counts)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == FusionCacheDiagnostics.MeterName)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var given = tags.ToArray().ToDictionary(t => t.Key, t => t.Value);
            if (given.GetValueOrDefault("fusioncache.cache.name") as string == _name)
            {
                var stale = given.GetValueOrDefault("fusioncache.stale") is true ? " stale" : "";
                counts.AddOrUpdate($"{instrument.Name}{stale}", value, (_, sum) => sum + value);
            }
        });
        listener.Start();
        return listener;
    }

    private async Task StartAsync(int count, params (string Name, string Value)[] settings)
        => _instances.AddRange(await CacheInstance.StartAsync(count, redis.ConnectionString, _name, settings));

    private Task<int[]> ReadAtOnceAsync(int readers)
        => Task.WhenAll(Enumerable.Range(0, readers).Select(i => Task.Run(() => ReadAsync(_instances[i % _instances.Count]))));

    private Task<int> ReadAsync(CacheInstance instance, FusionCacheEntryOptions? options = null)
        => instance.Cache.GetOrSetAsync<int>(Key, async (_, token) =>
        {
            Interlocked.Increment(ref _loads);
            if (_storeIsAway)
            {
                throw new RedisConnectionException(ConnectionFailureType.None, "away");
            }
            // As long as a load takes.
            await instance.Redis.Database.PingAsync().WaitAsync(token);
            return _truth;
        }, options, CancellationToken.None).AsTask();
}
