using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>What the parts of one consumer group instance share.</summary>
internal sealed class GroupContext(
    RedisDeployment deployment, string stream, string deadLetters, ConsumerGroupOptions options, TimeProvider clock, ILogger logger)
{
    private volatile StreamCapabilities _capabilities = StreamCapabilities.Classic;

    public RedisDeployment Deployment => deployment;

    /// <summary>Where the stream is.</summary>
    public RedisShard Shard => deployment.ShardOf(stream);

    public string Stream => stream;

    public string DeadLetters => deadLetters;

    public ConsumerGroupOptions Options => options;

    public TimeProvider Clock => clock;

    public ILogger Logger => logger;

    public TagList Tags { get; } = StreamMetrics.Tags(stream, options.Group);

    /// <summary>The capabilities of the node from which this instance read last.</summary>
    public StreamCapabilities Capabilities
    {
        get => _capabilities;
        set => _capabilities = value;
    }

    /// <summary>Reports entries that were deleted while they were pending; the server has removed them from the pending entries list.</summary>
    public void ReportDeleted(IReadOnlyCollection<string> ids)
    {
        if (ids.Count == 0)
        {
            return;
        }
        StreamMetrics.Vanished.Add(ids.Count, Tags);
        logger.LogError("{Count} entries of {Stream} were deleted while group {Group} had them pending; the group lost their events: {EntryIds}",
            ids.Count, stream, options.Group, string.Join(' ', ids));
    }
}
