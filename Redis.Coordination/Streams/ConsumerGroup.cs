using AspireRedis.Coordination.Streams.Consuming;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// One instance of a consumer group. It reads on a connection of its own, passes each
/// event to the handler, acknowledges what was handled, retries what failed, and claims what a dead instance left
/// pending. It survives the loss of Redis and a failover: it reconnects and continues.
/// </summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <remarks>
/// Delivery is at least once. Events of one stream may be handled concurrently and out of order, unless
/// <see cref="ConsumerGroupOptions{T}.OrderBy"/> is set. Of a topic with partitions each is read by one living instance at a time,
/// and the events of a key are handled in order over the whole group. Run it once (<see cref="RunAsync"/>); the host does so for
/// groups added with <c>AddConsumerGroup</c>.
/// </remarks>
public sealed class ConsumerGroup<T>
    where T : class
{
    private readonly RedisDeployment _deployment;
    private readonly StreamTopic<T> _topic;
    private readonly ConsumerGroupOptions<T> _options;
    private readonly IStreamHandler<T> _handler;
    private readonly TimeProvider _clock;
    private readonly ILogger<ConsumerGroup<T>> _logger;
    private readonly PartitionRecords _records;
    private readonly string _consumer;

    /// <summary>Creates the instance. It does not connect before it runs.</summary>
    /// <exception cref="ArgumentException">An option is missing or out of range, or the topic is one partition of several.</exception>
    public ConsumerGroup(
        RedisDeployment deployment, StreamTopic<T> topic, ConsumerGroupOptions<T> options, IStreamHandler<T> handler,
        TimeProvider clock, ILogger<ConsumerGroup<T>> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        options.Validate();
        if (topic.PartitionNumber is not null)
        {
            throw new ArgumentException($"'{topic.Key}' is one partition: a group consumes the topic, and divides its partitions.",
                nameof(topic));
        }
        if (topic.IsPartitioned)
        {
            options.ValidateForPartitions();
        }
        _deployment = deployment;
        _topic = topic;
        _options = options;
        _handler = handler;
        _clock = clock;
        _logger = logger;
        _records = new PartitionRecords(deployment);
        _consumer = options.Consumer ?? $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";
    }

    /// <summary>
    /// Consumes until <paramref name="stopping"/> is cancelled, then lets running handlers finish within the drain
    /// timeout.
    /// </summary>
    /// <returns>A task that completes when everything has stopped. An unavailable Redis does not make it fail.</returns>
    /// <exception cref="StreamPartitionsException">The data in Redis has other partitions than the topic.</exception>
    public Task RunAsync(CancellationToken stopping)
    {
        if (!_topic.IsPartitioned)
        {
            return ConsumerOf(_topic, _options.OrderBy, fence: null, handlers: null).RunAsync(stopping);
        }
        var handlers = new SemaphoreSlim(_options.MaxConcurrency);
        Func<T, string?> orderBy = _topic.KeyOf;
        if (_options.OrderBy is { } selected)
        {
            orderBy = selected;
        }
        return new PartitionedConsumer(_deployment, _topic.Key, _topic.Partitions!, _options, _consumer, _records,
            (number, fence) => ConsumerOf(_topic.Partition(number), orderBy, fence, handlers), _clock, _logger).RunAsync(stopping);
    }

    private StreamConsumer ConsumerOf(StreamTopic<T> topic, Func<T, string?>? orderBy, PartitionFence? fence, SemaphoreSlim? handlers)
    {
        var group = new GroupContext(_deployment, topic.Part, _consumer, _options, _clock, _logger)
        {
            Fence = fence,
            Handlers = handlers,
        };
        return new StreamConsumer(group, new EntryProcessor<T>(group, topic, _handler, orderBy), _records);
    }
}
