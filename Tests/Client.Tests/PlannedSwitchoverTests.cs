using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Client.Tests;

/// <summary>What a service says while the primary is changed as planned.</summary>
public sealed partial class PlannedSwitchoverTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_planned_switchover_is_no_reason_for_a_warning()
    {
        using var log = new Log();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new("ConnectionStrings:redis", redis.ConnectionString)]);
        builder.Logging.AddProvider(log);
        builder.AddRedisCoordination();
        var topic = new StreamTopic<Said>("switchover:said", "said", 1, SaidJson.Default.Said);
        builder.Services.AddConsumerGroup<Said, Listener>(topic, (options, _) => options.Group = "listeners");
        using var host = builder.Build();
        await host.StartAsync();
        var (producer, listener) = (host.Services.GetRequiredService<StreamProducer>(), host.Services.GetRequiredService<Listener>());
        // The host does not wait for ever for the first connection.
        await Eventually.HoldsAsync(() => producer.AppendAsync(topic, new Said("before")), "Redis is reached");
        await Eventually.TrueAsync(() => listener.Heard.Contains("before"), "the group is read");
        var before = await redis.Redis.CurrentPrimaryAsync();

        await new PlannedSwitchover(ConfigurationOptions.Parse(redis.ConnectionString), NullLogger<PlannedSwitchover>.Instance)
            .RunAsync();

        await producer.AppendAsync(topic, new Said("after"));
        await Eventually.TrueAsync(() => listener.Heard.Contains("after"), "the group is read at the new primary", s_bound);
        // The connection that subscribes too.
        await Eventually.TrueAsync(() => log.Lines.Count(l => l.Text.Contains("is restored", StringComparison.Ordinal)) >= 2,
            "the connections are led there", s_bound);
        Assert.NotEqual(before, await redis.Redis.CurrentPrimaryAsync());
        Assert.Contains(log.Lines, l => l.Text.Contains("a planned switchover", StringComparison.Ordinal));
        await host.StopAsync();
        Assert.DoesNotContain(log.Lines, l => l.Text.Contains("InternalFailure", StringComparison.Ordinal) && l.Level >= LogLevel.Warning);
        // How many replicas there are is looked at each five seconds, and one of them may be on its way to the new primary then.
        var loud = log.Lines.Where(l => l.Level >= LogLevel.Warning
            && !l.Text.Contains("replicas in sync", StringComparison.Ordinal));
        Assert.True(!loud.Any(), string.Join('\n', loud));
    }

    internal sealed record Said(string Word);

    [JsonSerializable(typeof(Said))]
    private sealed partial class SaidJson : JsonSerializerContext;

    internal sealed class Listener : IStreamHandler<Said>
    {
        public ConcurrentBag<string> Heard { get; } = [];

        public Task<HandlerResult> HandleAsync(StreamMessage<Said> message, CancellationToken cancellationToken)
        {
            Heard.Add(message.Value.Word);
            return Task.FromResult(HandlerResult.Handled);
        }
    }

    private sealed class Log : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Dispose()
        {
        }

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
            => Lines.Enqueue((logLevel, formatter(state, exception)));
    }
}
