using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>What the parts of one consumer group instance share.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose AvailableWaitHandle is never used has nothing to dispose.")]
internal sealed class GroupContext(
    RedisDeployment deployment, StreamPart part, string consumer, ConsumerGroupOptions options, TimeProvider clock, ILogger logger)
{
    // For an acknowledgement; beyond it the connection is replaced.
    private static readonly TimeSpan s_longestReply = TimeSpan.FromSeconds(1);

    private readonly string _stream = part.Key;
    private readonly SemaphoreSlim _opening = new(1);
    private DedicatedConnection? _commands;
    private volatile StreamCapabilities _capabilities = StreamCapabilities.Classic;

    public RedisDeployment Deployment => deployment;

    /// <summary>Where the stream is.</summary>
    public RedisShard Shard => deployment.ShardOf(_stream);

    /// <summary>The key of the stream.</summary>
    public string Stream => _stream;

    public string DeadLetters { get; } = StreamTopic.DeadLettersOf(part.Key);

    /// <summary>Which stream of the topic it is.</summary>
    public StreamPart Part => part;

    /// <summary>Shown to own the partition; null where instances share the stream.</summary>
    public PartitionFence? Fence { get; init; }

    /// <summary>The handlers that may run at a time, where several partitions share them.</summary>
    public SemaphoreSlim? Handlers { get; init; }

    /// <summary>Whether entries are ordered by a key.</summary>
    public bool IsOrdered => options.IsOrdered || Fence is not null;

    public ConsumerGroupOptions Options => options;

    /// <summary>The consumer's name.</summary>
    public string Consumer => consumer;

    /// <summary>How long after a retry is due others leave it to the instance that scheduled it.</summary>
    public TimeSpan Precedence => options.MinIdle / 3;

    public TimeProvider Clock => clock;

    public ILogger Logger => logger;

    public TagList Tags { get; } = StreamMetrics.Tags(part, options.Group);

    /// <summary>The capabilities of the node from which this instance read last.</summary>
    public StreamCapabilities Capabilities
    {
        get => _capabilities;
        set => _capabilities = value;
    }

    /// <summary>Runs a script at the primary, behind the fence where there is one.</summary>
    /// <exception cref="LeaseLostException">Another instance has the partition; nothing was done.</exception>
    /// <inheritdoc cref="RedisDeployment.EvaluateAsync" path="/exception"/>
    public async ValueTask<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken = default)
    {
        if (Fence is not { } fence)
        {
            return await Shard.EvaluateAsync(script, keys, arguments, cancellationToken);
        }
        try
        {
            return await Shard.EvaluateAsync(script.Fenced, fence.With(keys), fence.With(arguments), cancellationToken);
        }
        catch (RedisServerException e) when (PartitionFence.IsRefusal(e))
        {
            throw fence.Refused();
        }
    }

    /// <summary>Runs a script on the stream through a dedicated connection, behind the fence where there is one.</summary>
    /// <exception cref="LeaseLostException">Another instance has the partition; nothing was done.</exception>
    public async Task<RedisResult> EvaluateAsync(DedicatedConnection connection, RedisScript script, RedisValue[] arguments)
    {
        RedisKey[] keys = [_stream];
        if (Fence is { } fence)
        {
            (script, keys, arguments) = (script.Fenced, fence.With(keys), fence.With(arguments));
        }
        script = Shard.Guarded(script);
        try
        {
            return await script.SendHashAsync(connection.Database, keys, arguments);
        }
        catch (RedisServerException e) when (RedisScript.IsUnknown(e))
        {
            try
            {
                return await script.SendTextAsync(connection.Database, keys, arguments);
            }
            catch (RedisServerException refused) when (PartitionFence.IsRefusal(refused))
            {
                throw Fence!.Refused();
            }
        }
        catch (RedisServerException e) when (PartitionFence.IsRefusal(e))
        {
            throw Fence!.Refused();
        }
    }

    /// <summary>
    /// The connection for acknowledgements. It leads to one process for as long as it lives, unlike the shared one, which follows the
    /// primary: what was read from, or verified at, that process may be acknowledged there by its id alone.
    /// </summary>
    /// <exception cref="RedisConnectionException">No primary is known or it does not answer.</exception>
    public async ValueTask<DedicatedConnection> CommandsAsync(CancellationToken cancellationToken)
    {
        if (Shard.Route?.GateOfDedicated is { } gate)
        {
            await gate.WaitAsync(cancellationToken);
        }
        var current = CurrentCommands;
        return current is { IsConnected: true } && current.Node.Equals(Shard.Primary)
            ? current
            : await ReplaceCommandsAsync(current, cancellationToken);
    }

    /// <summary>The connection for acknowledgements as it is; null before the first.</summary>
    public DedicatedConnection? CurrentCommands => Volatile.Read(ref _commands);

    /// <summary>Replaces the connection for acknowledgements, unless somebody has done so in the meantime.</summary>
    public async Task<DedicatedConnection> ReplaceCommandsAsync(DedicatedConnection? old, CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken);
        try
        {
            if (_commands is not { } current || ReferenceEquals(current, old))
            {
                current = await Shard.OpenDedicatedAsync(
                    $"{_stream}-{options.Group}-acknowledgements", s_longestReply, RedisShard.Bound, cancellationToken);
                Volatile.Write(ref _commands, current);
                if (old is not null)
                {
                    await old.DisposeAsync();
                }
            }
            return current;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Closes the connection for acknowledgements.</summary>
    public async ValueTask CloseAsync()
    {
        if (_commands is { } commands)
        {
            await commands.DisposeAsync();
        }
    }

    /// <summary>
    /// Reports entries that were deleted while they were pending; the server has removed them from the pending entries
    /// list.
    /// </summary>
    public void ReportDeleted(IReadOnlyCollection<string> ids)
    {
        if (ids.Count == 0)
        {
            return;
        }
        StreamMetrics.Vanished.Add(ids.Count, Tags);
        logger.LogError(
            "{Count} entries of {Stream} were deleted while group {Group} had them pending; the group lost their events: {EntryIds}",
            ids.Count, _stream, options.Group, string.Join(' ', ids));
    }
}
