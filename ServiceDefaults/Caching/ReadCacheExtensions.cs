using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace AspireRedis.ServiceDefaults.Caching;

/// <summary>Adds a cache for what is read often and decided upon never: FusionCache, over the connection of the service.</summary>
public static class ReadCacheExtensions
{
    /// <summary>What the keys of the shared level begin with.</summary>
    public const string KeyPrefix = "cache:";

    // While somebody else loads. A load takes a few milliseconds, so after this it is in trouble.
    private static readonly TimeSpan s_lockTimeout = TimeSpan.FromSeconds(1);

    // Who has an entry of before waits for so long, and then serves that one.
    private static readonly TimeSpan s_softTimeout = TimeSpan.FromMilliseconds(500);

    // Redis keeps time in whole seconds here, and RedisCache cuts the rest off.
    private static readonly TimeSpan s_secondOfExpiry = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Adds an <see cref="IFusionCache"/> with the key <paramref name="name"/>: in memory, shared through Redis, with a message to all
    /// instances when an entry changes, and with our lease around each load, so that one instance loads for all. While the store does
    /// not answer, entries of before are served. <see cref="ReadCacheOptions"/> say how old they may be. Needs <c>AddRedisCoordination</c>.
    /// </summary>
    /// <param name="builder">The host under construction.</param>
    /// <param name="name">Of the cache, in its keys and metrics; the same in all instances of a service.</param>
    public static TBuilder AddReadCache<TBuilder>(this TBuilder builder, string name)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        builder.Services.AddOptions<ReadCacheOptions>().BindConfiguration("ReadCache").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<FusionCacheOptions>(name)
            .Configure<IOptions<ReadCacheOptions>>((options, read) => Configure(options, name, read.Value));
        builder.Services.AddFusionCache(name)
            .WithMemoryCache(provider => new MemoryCache(
                new MemoryCacheOptions { SizeLimit = provider.GetRequiredService<IOptions<ReadCacheOptions>>().Value.MaxEntries }))
            .WithSerializer(new FusionCacheSystemTextJsonSerializer())
            .WithDistributedCache(provider =>
            {
                var redis = provider.GetRequiredService<RedisDeployment>();
                // Nobody's to dispose: it would close the connection.
                return redis.IsCluster ? new ClusterCache(redis, KeyPrefix) : new RedisCache(new RedisCacheOptions
                {
                    InstanceName = KeyPrefix, ConnectionMultiplexerFactory = () => Task.FromResult(redis.Connection),
                });
            })
            .WithBackplane(provider => ActivatorUtilities.CreateInstance<SharedConnectionBackplane>(provider))
            .WithDistributedLocker(provider => new LeaseDistributedLocker(
                provider.GetRequiredService<ILeaseProvider>(), provider.GetRequiredService<RedisDeployment>()))
            .AsKeyedServiceByCacheName();
        // Two lines for each read, and one for each failure of many in an outage, which others tell of.
        builder.Logging.AddFilter("ZiggyCreatures.Caching.Fusion", LogLevel.Warning);
        builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(
            FusionCacheDiagnostics.MeterName, FusionCacheDiagnostics.MeterNameDistributedLevel, FusionCacheDiagnostics.MeterNameBackplane));
        return builder;
    }

    /// <summary>Has an entry looked up again after a time of its own; for the options of a call or, in its loader, of an entry.</summary>
    /// <param name="options">The options.</param>
    /// <param name="duration">In place of <see cref="ReadCacheOptions.MaxStaleness"/>.</param>
    public static FusionCacheEntryOptions SetMaxStaleness(this FusionCacheEntryOptions options, TimeSpan duration)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Duration = duration;
        // From when it came into this memory, too: a copy of the shared level ends by the clock of the process that loaded it.
        options.MemoryCacheDuration = duration;
        // Of no use to whom Redis does not answer.
        options.DistributedCacheFailSafeMaxDuration = duration + s_secondOfExpiry;
        return options;
    }

    /// <summary>The options for lists of what there is, which each process keeps for itself and loads for itself.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="options">Say how old they may be.</param>
    public static FusionCacheEntryOptions OptionsForLists(this IFusionCache cache, ReadCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(options);
        return cache.DefaultEntryOptions.Duplicate().SetMaxStaleness(options.MaxStalenessOfLists)
            .SetSkipDistributedCache(true, skipBackplaneNotifications: true)
            // FusionCache would not release it.
            .SetSkipDistributedLocker();
    }

    /// <summary>Reads an entry, and loads it where it is not there: for whoever comes first and all who wait for the same.</summary>
    /// <typeparam name="T">Of the entry.</typeparam>
    /// <param name="cache">The cache.</param>
    /// <param name="key">The entry.</param>
    /// <param name="loadAsync">Loads it; may change the options of the entry.</param>
    /// <param name="options">Null for those of the cache.</param>
    /// <param name="cancellationToken">Ends the wait, and not the load.</param>
    public static Task<T> ReadAsync<T>(this IFusionCache cache, string key,
        Func<FusionCacheFactoryExecutionContext<T>, CancellationToken, Task<T>> loadAsync, FusionCacheEntryOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        return cache.GetOrSetAsync(key, loadAsync, options, CancellationToken.None).AsTask().WaitAsync(cancellationToken);
    }

    private static void Configure(FusionCacheOptions options, string name, ReadCacheOptions read)
    {
        options.CacheKeyPrefix = $"{name}:";
        options.DisableTagging = true;
        // What it would repeat after a failure is over by itself before.
        options.EnableAutoRecovery = false;
        options.DistributedCacheCircuitBreakerDuration = read.RetryAfter;
        // In an outage these are one for each entry and attempt; RedisConnector tells of it, and metrics count them.
        options.DistributedCacheErrorsLogLevel = options.DistributedCacheSyntheticTimeoutsLogLevel = options.DistributedLockerErrorsLogLevel
            = options.BackplaneErrorsLogLevel = options.BackplaneSyntheticTimeoutsLogLevel = options.FactoryErrorsLogLevel
            = options.FactorySyntheticTimeoutsLogLevel = options.FailSafeActivationLogLevel = LogLevel.Debug;
        options.DefaultEntryOptions = new FusionCacheEntryOptions
        {
            IsFailSafeEnabled = true,
            // Counted from when it came into memory, when it may be as old as it may get while Redis answers.
            FailSafeMaxDuration = read.MaxStalenessWithoutStore - read.MaxStaleness,
            FailSafeThrottleDuration = read.RetryAfter,
            FactorySoftTimeout = s_softTimeout,
            DistributedCacheSoftTimeout = s_softTimeout / 2,
            DistributedCacheHardTimeout = s_lockTimeout,
            MemoryLockTimeout = s_lockTimeout,
            DistributedLockTimeout = s_lockTimeout,
            Size = 1,
        }.SetMaxStaleness(read.MaxStaleness);
    }
}
