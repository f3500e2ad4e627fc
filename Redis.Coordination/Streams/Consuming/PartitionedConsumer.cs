using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Reads the partitions that are this instance's share: waits for the lease of each, consumes it alone, and gives it back when the
/// share has changed. The lease keeps two instances apart that disagree about their shares for a moment.
/// </summary>
/// <param name="deployment">Where the topic is.</param>
/// <param name="topic">The key of the topic.</param>
/// <param name="partitions">Its partitions.</param>
/// <param name="options">Of the group; <see cref="ConsumerGroupOptions.MinIdle"/> is the TTL of the leases.</param>
/// <param name="consumer">The consumer's name.</param>
/// <param name="records">Compares the number of partitions.</param>
/// <param name="create">Makes what consumes a partition under a fence.</param>
/// <param name="clock">Measures the leases and the signs of life.</param>
/// <param name="logger">Hears of changes.</param>
internal sealed class PartitionedConsumer(
    RedisDeployment deployment, string topic, StreamPartitions partitions, ConsumerGroupOptions options, string consumer,
    PartitionRecords records, Func<int, PartitionFence, StreamConsumer> create, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan s_leaveBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    // A third: two signs of life may fail. No longer than this, for others wait so long for what is theirs now.
    private static readonly TimeSpan s_longestInterval = TimeSpan.FromSeconds(5);

    private readonly GroupMembership _membership = new(deployment, topic, partitions, options, consumer);
    private readonly Dictionary<int, Share> _shares = [];
    private readonly LeaseOptions _lease = new() { Ttl = options.MinIdle, WaitTimeout = TimeSpan.FromHours(1) };

    public async Task RunAsync(CancellationToken stopping)
    {
        await using var leases = new RedisLeaseProvider(deployment, clock);
        var refusals = new Refusals();
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                try
                {
                    // In a standby region nothing is consumed.
                    await deployment.ShardOf(topic).WaitUntilActiveAsync(stopping);
                    await records.CompareAsync(topic, partitions, stopping);
                    Divide(await _membership.RenewAsync(stopping), leases);
                    refusals.Succeeded();
                }
                catch (Exception e) when (e is not StreamPartitionsException && !stopping.IsCancellationRequested)
                {
                    // What it has it keeps while the leases last.
                    logger.Log(refusals.LevelOf(e), e,
                        "Group {Group} of {Stream} cannot tell its share of the partitions and tries again.", options.Group, topic);
                }
                await WaitAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
        finally
        {
            // First, so that the others wait for the leases by the time they are free.
            await LeaveAsync();
            foreach (var share in _shares.Values)
            {
                await share.End.CancelAsync();
            }
            await Task.WhenAll(_shares.Values.Select(s => s.Consuming));
        }
    }

    /// <summary>Begins with what is new in the share, and ends what is not in it any more.</summary>
    private void Divide(IReadOnlySet<int> share, RedisLeaseProvider leases)
    {
        foreach (var (number, owned) in _shares)
        {
            if (owned.Consuming.IsCompleted)
            {
                _shares.Remove(number);
            }
            else if (!share.Contains(number))
            {
                _ = owned.End.CancelAsync();
            }
        }
        // One that is given back at this moment comes again with the next sign of life, or when it has ended.
        foreach (var number in share.Where(n => !_shares.ContainsKey(n)))
        {
            var end = new CancellationTokenSource();
            _shares.Add(number, new Share(end, Task.Run(() => OwnAsync(number, leases, end.Token))));
        }
    }

    /// <summary>Until the next sign of life is due, or a partition was given back that may be in the share again.</summary>
    private async Task WaitAsync(CancellationToken stopping)
    {
        using var waitEnded = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var interval = options.MinIdle / 3 < s_longestInterval ? options.MinIdle / 3 : s_longestInterval;
        var due = Task.Delay(interval, clock, waitEnded.Token);
        await Task.WhenAny([due, .. _shares.Values.Where(s => !s.Consuming.IsCompleted).Select(s => s.Consuming)]);
        await waitEnded.CancelAsync();
    }

    /// <summary>Consumes a partition whenever it has the lease, until <paramref name="end"/>.</summary>
    private async Task OwnAsync(int number, RedisLeaseProvider leases, CancellationToken end)
    {
        var tag = partitions.TagOf(number);
        var tags = StreamMetrics.Tags(StreamPart.Whole(topic), options.Group);
        while (!end.IsCancellationRequested)
        {
            try
            {
                await using var lease = await leases.TryAcquireAsync(StreamKeys.PartitionLockOf(topic, options.Group, tag), _lease, end);
                if (lease is null)
                {
                    continue;
                }
                var fence = new PartitionFence(
                    StreamKeys.FenceOf($"{topic}:{tag}", options.Group), lease.FencingToken, lease.Resource);
                await using var losing = lease.LostToken.Register(fence.Lose);
                using var stopping = CancellationTokenSource.CreateLinkedTokenSource(end, fence.Lost);
                logger.LogInformation("Group {Group} takes over partition {Partition} of {Stream}.", options.Group, number, topic);
                StreamMetrics.Partitions.Add(1, tags);
                try
                {
                    await create(number, fence).RunAsync(stopping.Token);
                }
                finally
                {
                    StreamMetrics.Partitions.Add(-1, tags);
                }
                if (fence.Lost.IsCancellationRequested)
                {
                    logger.LogWarning("Group {Group} has lost partition {Partition} of {Stream}.", options.Group, number, topic);
                }
                if (fence.WasRefused)
                {
                    // Another has a later token, although this one had the lease: not again at once.
                    await Task.Delay(s_pause, clock, end);
                }
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                logger.LogDebug(e, "Group {Group} cannot have partition {Partition} of {Stream} yet.", options.Group, number, topic);
                await Task.Delay(s_pause, clock, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task LeaveAsync()
    {
        try
        {
            using var bound = new CancellationTokenSource(s_leaveBound, clock);
            await _membership.LeaveAsync(bound.Token);
        }
        catch (Exception e)
        {
            logger.LogDebug(e, "Group {Group} of {Stream} could not be left; the others notice it after the minimum idle time.",
                options.Group, topic);
        }
    }

    /// <summary>A partition that this instance has, or waits for.</summary>
    /// <param name="End">Ends it. Not disposed: handlers may have its token.</param>
    /// <param name="Consuming">Completes when it is given back.</param>
    private sealed record Share(CancellationTokenSource End, Task Consuming);
}
