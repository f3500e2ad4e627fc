using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>The <see cref="RedlockQueue"/> of each lease that somebody of this process waits for.</summary>
internal sealed class RedlockQueues(IReadOnlyList<RedlockNode> nodes, TimeProvider clock, ILogger logger)
{
    // A lease that is contended is contended again soon: its subscriptions stay for a while.
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, RedlockQueue> _queues = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task> _retiring = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private volatile int _count;

    /// <summary>Whether anybody waits; who comes now must not overtake.</summary>
    public bool IsAwaited(string resource)
    {
        if (_count == 0)
        {
            return false;
        }
        lock (_gate)
        {
            return _queues.TryGetValue(resource, out var queue) && queue.Callers > 0;
        }
    }

    /// <summary>Call <see cref="Leave"/> for each call.</summary>
    public RedlockQueue Join(string resource)
    {
        lock (_gate)
        {
            if (!_queues.TryGetValue(resource, out var queue))
            {
                queue = new RedlockQueue(resource, nodes, logger, _retiring.GetValueOrDefault(resource, Task.CompletedTask));
                _queues.Add(resource, queue);
                _count = _queues.Count;
            }
            queue.Callers++;
            return queue;
        }
    }

    public void Leave(RedlockQueue queue)
    {
        lock (_gate)
        {
            if (--queue.Callers == 0)
            {
                _ = RetireAsync(queue);
            }
        }
    }

    private async Task RetireAsync(RedlockQueue queue)
    {
        await Task.Delay(s_linger, clock);
        Task retiring;
        lock (_gate)
        {
            if (queue.Callers > 0 || !_queues.TryGetValue(queue.Resource, out var current) || current != queue)
            {
                return;
            }
            _queues.Remove(queue.Resource);
            _count = _queues.Count;
            _retiring[queue.Resource] = retiring = queue.UnsubscribeAsync();
        }
        await retiring;
        lock (_gate)
        {
            if (_retiring.GetValueOrDefault(queue.Resource) == retiring)
            {
                _retiring.Remove(queue.Resource);
            }
        }
        queue.Dispose();
    }
}
