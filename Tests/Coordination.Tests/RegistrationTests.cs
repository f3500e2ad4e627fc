using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

public sealed class RegistrationTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Groups_that_are_added_run_with_the_host_also_two_of_the_same_event()
    {
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        RedisConnectionDefaults.Apply(options);
        var topic = Numbered.Topic("registered");
        var services = new ServiceCollection();
        services.AddOptions();
        services.AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
        services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(options));
        services.AddSingleton(Microsoft.Extensions.Options.Options.Create(options));
        services.AddRedisCoordination();
        services.AddConsumerGroup<Numbered, Recorder>(topic, (o, _) => o.Group = "one");
        services.AddConsumerGroup<Numbered, Recorder>(topic, (o, _) => o.Group = "two");
        await using var provider = services.BuildServiceProvider();
        Assert.IsType<RedisLeaseProvider>(provider.GetRequiredService<ILeaseProvider>());
        Assert.IsType<SharedLeaseProvider>(provider.GetRequiredService<ISharedLeaseProvider>());
        Assert.IsType<SemaphoreProvider>(provider.GetRequiredService<ISemaphoreProvider>());
        Assert.NotNull(provider.GetRequiredService<RedisRateLimiters>());
        Assert.NotNull(provider.GetRequiredService<DurableWriter>());
        var hosted = provider.GetServices<IHostedService>().ToList();
        foreach (var service in hosted)
        {
            await service.StartAsync(default);
        }

        await provider.GetRequiredService<StreamProducer>().AppendAsync(topic, new Numbered(1));

        var recorder = provider.GetRequiredService<Recorder>();
        await Eventually.TrueAsync(() => recorder.Groups.Order().SequenceEqual(["one", "two"]), "both groups get the event");
        foreach (var service in hosted)
        {
            await service.StopAsync(default);
        }
    }

    private sealed class Recorder : IStreamHandler<Numbered>
    {
        public ConcurrentQueue<string> Groups { get; } = new();

        public Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            Groups.Enqueue(message.Group);
            return Task.FromResult(HandlerResult.Handled);
        }
    }
}
