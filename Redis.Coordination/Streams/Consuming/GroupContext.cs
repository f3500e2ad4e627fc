using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>What the parts of one consumer group instance share.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose AvailableWaitHandle is never used has nothing to dispose.")]
internal sealed class GroupContext(
    RedisDeployment deployment, string stream, string deadLetters, ConsumerGroupOptions options, TimeProvider clock, ILogger logger)
{
    // For an acknowledgement; beyond it the connection is replaced.
    private static readonly TimeSpan s_longestReply = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _opening = new(1);
    private DedicatedConnection? _commands;
    private volatile StreamCapabilities _capabilities = StreamCapabilities.Classic;

    public RedisDeployment Deployment => deployment;

    /// <summary>Where the stream is.</summary>
    public RedisShard Shard => deployment.ShardOf(stream);

    public string Stream => stream;

    public string DeadLetters => deadLetters;

    public ConsumerGroupOptions Options => options;

    /// <summary>The consumer's name.</summary>
    public string Consumer { get; } = options.Consumer
        ?? $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>How long after a retry is due others leave it to the instance that scheduled it.</summary>
    public TimeSpan Precedence => options.MinIdle / 3;

    public TimeProvider Clock => clock;

    public ILogger Logger => logger;

    public TagList Tags { get; } = StreamMetrics.Tags(stream, options.Group);

    /// <summary>The capabilities of the node from which this instance read last.</summary>
    public StreamCapabilities Capabilities
    {
        get => _capabilities;
        set => _capabilities = value;
    }

    /// <summary>
    /// The connection for acknowledgements. It leads to one process for as long as it lives, unlike the shared one, which follows the
    /// primary: what was read from, or verified at, that process may be acknowledged there by its id alone.
    /// </summary>
    /// <exception cref="RedisConnectionException">No primary is known or it does not answer.</exception>
    public async ValueTask<DedicatedConnection> CommandsAsync(CancellationToken cancellationToken)
    {
        if (Shard.Route?.Gate is { } gate)
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
                    $"{stream}-{options.Group}-acknowledgements", s_longestReply, RedisShard.Bound, cancellationToken);
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
            ids.Count, stream, options.Group, string.Join(' ', ids));
    }
}
