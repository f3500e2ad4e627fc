using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.StreamWorkers;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Libraries;

/// <summary>Redis.Coordination.</summary>
/// <param name="partitions">
/// Of each topic. With several a case has the third of them for its stream, and the consumers read them all.
/// </param>
public sealed class CoordinationLibrary(int partitions = 1) : IConsumerLibrary
{
    private const int UsedPartition = 2;

    public string Name => partitions == 1 ? "coordination" : "coordination-partitions";

    public string StreamOf(string name) => partitions == 1 ? $"{Name}:{name}" : TopicOf(name, partitions).Partition(UsedPartition).Key;

    /// <summary>The topic of a case with partitions. Only the cases about order have keys.</summary>
    public static StreamTopic<WorkItem> TopicOf(string name, int partitions)
        => WorkItem.Topic($"coordination-partitions:{name}").Partitioned(new StreamPartitions("items", partitions), _ => null);

    public NameValueEntry[] Undecodable => [new(StreamFields.EventType, "work-item"), new(StreamFields.SchemaVersion, 0)];

    public NameValueEntry[] Encode(int number) =>
    [
        new(StreamFields.EventId, string.Create(CultureInfo.InvariantCulture, $"event-{number}")),
        new(StreamFields.EventType, "work-item"),
        new(StreamFields.SchemaVersion, 1),
        new("number", number),
    ];

    public IConsumerInstance Start(InstanceSettings settings, Func<Delivery, CancellationToken, Task> handler)
        => new Instance(settings, partitions, handler);

    public async Task<IReadOnlyList<string>> DeadLettersAsync(IDatabase database, string stream, string group)
        => [.. (await database.StreamRangeAsync($"{stream}:dead")).Where(e => e["dead_group"] == group)
        .Select(e => (string)e["dead_entry_id"]!)];

    private sealed class Instance : IConsumerInstance, IStreamHandler<WorkItem>
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly Func<Delivery, CancellationToken, Task> _handler;
        private readonly Task _running;

        public Instance(InstanceSettings settings, int partitions, Func<Delivery, CancellationToken, Task> handler)
        {
            _handler = handler;
            _running = Task.Run(() => RunAsync(settings, partitions));
        }

        public async Task<HandlerResult> HandleAsync(StreamMessage<WorkItem> message, CancellationToken cancellationToken)
        {
            await _handler(new Delivery(message.Value.Number, message.EntryId), cancellationToken);
            return HandlerResult.Handled;
        }

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _running;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stopping.Dispose();
        }

        private async Task RunAsync(InstanceSettings settings, int partitions)
        {
            await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(settings.ConnectionString));
            var suffix = $":{{items:{UsedPartition}}}";
            var topic = partitions == 1 ? WorkItem.Topic(settings.Stream)
                : TopicOf(settings.Stream["coordination-partitions:".Length..^suffix.Length], partitions);
            var group = new ConsumerGroup<WorkItem>(
                deployment, topic,
                new()
                {
                    Group = settings.Group,
                    Consumer = settings.Consumer,
                    MinIdle = settings.Idle,
                    MaxConcurrency = settings.Concurrency,
                    MaxDeliveries = settings.MaxDeliveries,
                    RetryDelay = TimeSpan.FromMilliseconds(300),
                    OrderBy = settings.InOrder ? static e => e.Number % 2 == 0 ? "even" : "odd" : null,
                },
                this, TimeProvider.System, NullLogger<ConsumerGroup<WorkItem>>.Instance);
            await group.RunAsync(_stopping.Token);
        }
    }
}
