using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Regions.Acknowledgement;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// Runs scripts and acknowledges them at a chosen <see cref="Durability"/>. Writes above level
/// <see cref="Durability.Memory"/> share a connection and are committed in groups: <c>WAIT</c> speaks for all earlier
/// writes of its connection, so one of them acknowledges every write that was sent before it.
/// </summary>
/// <remarks>
/// Safe for concurrent use. While a group waits for the replicas the next one gathers, so under load the cost of
/// <c>WAIT</c> is shared. A write that a failover kept from being made is made at the new primary, within
/// <see cref="DurableWriterOptions.RetryFor"/>; one whose answer was lost only if its script is
/// <see cref="RedisScript.Repeatable"/>.
/// With Sentinels, and in a cluster, every replica that could be promoted must acknowledge, so for about down-after (in a cluster the
/// node timeout) and a second more after the loss of a replica writes are not durable.
/// See https://redis.io/docs/latest/commands/wait/ for what <c>WAIT</c> does not promise: it is not consensus, and a
/// replica that missed the write can still be promoted when all that had it are gone.
/// </remarks>
public sealed class DurableWriter : IAsyncDisposable
{
    private readonly RedisDeployment _deployment;
    private readonly DurableWriterOptions _options;
    private readonly ConcurrentDictionary<RedisShard, CommitQueue> _queues = new();
    private readonly ConcurrentDictionary<RedisShard, StandbyAcknowledger> _standbys = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationToken _stopped;

    /// <summary>Creates the writer; its connection is opened by the first write that needs it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public DurableWriter(RedisDeployment deployment, IOptions<DurableWriterOptions> options)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(options);
        options.Value.Validate();
        _deployment = deployment;
        _options = options.Value;
        _stopped = _stopping.Token;
    }

    internal RedisDeployment Deployment => _deployment;

    /// <summary>Runs <paramref name="script"/> and returns its result once it is acknowledged at <paramref name="durability"/>.</summary>
    /// <param name="script">The script.</param>
    /// <param name="keys">Its keys, at least one.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="durability">When it counts as written.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="NotDurableException">Applied, but not acknowledged by enough replicas in time.</exception>
    /// <exception cref="DurabilityNotSupportedException">Not applied: the servers cannot give this level.</exception>
    /// <exception cref="RedisServerException">The script raised an error.</exception>
    /// <exception cref="RedisUnavailableException">Certainly not applied: no primary took it in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">
    /// The answer was lost; it may have been applied, and may have been lost again with the primary.
    /// </exception>
    /// <exception cref="Regions.RegionNotActiveException">Not applied: another region accepts writes.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; a write that was already sent may have been applied.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(script);
        ArgumentNullException.ThrowIfNull(arguments);
        ObjectDisposedException.ThrowIf(_stopped.IsCancellationRequested, this);
        if (durability == Durability.Memory)
        {
            return await _deployment.EvaluateAsync(script, keys, arguments, cancellationToken);
        }
        var shard = _deployment.ShardOf(keys);
        using var span = CommandSpan.IsWanted ? CommandSpan.StartScript(script.Name) : null;
        var start = Stopwatch.GetTimestamp();
        try
        {
            return await CommitAsync(shard, script, keys, arguments, durability, span, cancellationToken);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
        finally
        {
            shard.Route?.Explain(span, start);
        }
    }

    /// <summary>Where a key is written.</summary>
    internal RedisShard ShardOf(RedisKey key) => _deployment.ShardOf(key);

    /// <summary>As <see cref="EvaluateAsync"/> above level <see cref="Durability.Memory"/>, with a span of the caller.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal async ValueTask<RedisResult> CommitAsync(RedisShard shard, RedisScript script, RedisKey[] keys, RedisValue[] arguments,
        Durability durability, Activity? span, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_stopped.IsCancellationRequested, this);
        var queue = QueueOf(shard);
        try
        {
            var epoch = shard.Guard is { } guard ? await guard.EnterAsync(cancellationToken) : -1;
            var standby = durability == Durability.Region ? await StandbyAsync(shard, cancellationToken) : null;
            var write = new DurableWrite(shard.Guarded(script), keys, arguments, durability, span, cancellationToken);
            await queue.AddAsync(write, cancellationToken);
            RedisResult result;
            // Once it was sent it belongs to a group; only this caller stops waiting for it.
            using (cancellationToken.UnsafeRegister(static w => ((DurableWrite)w!).Cancel(), write))
            {
                result = await write.Completion;
            }
            if (standby is not null && !await standby.WaitAsync(cancellationToken))
            {
                throw new NotDurableException(1, 0, _options.AcknowledgeTimeout, result);
            }
            if (shard.Guard?.IsConfirmed(epoch) == false)
            {
                await shard.Guard.ConfirmAsync(epoch, cancellationToken);
            }
            return result;
        }
        catch (Exception e) when (shard.Guard?.Explain(e) is { } refused)
        {
            throw refused;
        }
    }

    private CommitQueue QueueOf(RedisShard shard)
        => _queues.GetOrAdd(
            shard, static (shard, writer) => new CommitQueue(shard, writer._options, writer._stopped,
                writer._deployment.IsCluster ? key => writer.QueueOf(writer._deployment.ShardOf(key)) : null), this);

    /// <exception cref="RedisUnavailableException">The standby is away; nothing was sent.</exception>
    private async Task<StandbyAcknowledger> StandbyAsync(RedisShard shard, CancellationToken cancellationToken)
    {
        if (shard.Guard?.Standby is not { } region)
        {
            throw new DurabilityNotSupportedException(Durability.Region, "two regions must be configured.");
        }
        var standby = _standbys.GetOrAdd(shard, s => new StandbyAcknowledger(s, region, _options.AcknowledgeTimeout));
        bool isAttached;
        try
        {
            isAttached = await standby.IsAttachedAsync(cancellationToken);
        }
        catch (RedisOutcomeUnknownException e)
        {
            // Nothing was to be written yet.
            throw new RedisUnavailableException(e.InnerException ?? e);
        }
        return isAttached ? standby
            : throw new RedisUnavailableException(new RegionException($"No server of the standby region '{region.Name}' follows the primary."));
    }

    /// <summary>Stops; writes that are still queued fail with <see cref="ObjectDisposedException"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }
        await _stopping.CancelAsync();
        foreach (var queue in _queues.Values)
        {
            await queue.DisposeAsync();
        }
        foreach (var standby in _standbys.Values)
        {
            await standby.DisposeAsync();
        }
        _stopping.Dispose();
    }
}
