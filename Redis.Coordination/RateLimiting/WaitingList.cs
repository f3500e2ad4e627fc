using System.Threading.RateLimiting;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// Who waits in this process for the permits of a partition: as many as the limit lets wait, in the order in which it is their turn.
/// Not safe for concurrent use; its owner locks.
/// </summary>
internal sealed class WaitingList(RedisRateLimit limit)
{
    private readonly LinkedList<PermitWaiter> _waiters = [];

    /// <summary>Permits that are waited for.</summary>
    public int Permits { get; private set; }

    public bool IsEmpty => _waiters.Count == 0;

    private bool NewestFirst => limit.QueueProcessingOrder == QueueProcessingOrder.NewestFirst;

    /// <summary>
    /// Adds one, if need be in place of others that have waited longest, which are to be refused. False when it does not fit.
    /// </summary>
    public bool TryAdd(PermitWaiter waiter, out List<PermitWaiter> refused)
    {
        refused = [];
        if (waiter.Permits > limit.QueueLimit || (!NewestFirst && waiter.Permits > limit.QueueLimit - Permits))
        {
            return false;
        }
        while (waiter.Permits > limit.QueueLimit - Permits)
        {
            refused.Add(_waiters.First!.Value);
            Remove(_waiters.First.Value);
        }
        // Their first looks at Redis are answered in any order.
        var before = _waiters.Last;
        while (before is not null && before.Value.Number > waiter.Number)
        {
            before = before.Previous;
        }
        waiter.Node = before is null ? _waiters.AddFirst(waiter) : _waiters.AddAfter(before, waiter);
        Permits += waiter.Permits;
        return true;
    }

    /// <summary>False when it is not there any more.</summary>
    public bool Remove(PermitWaiter waiter)
    {
        if (waiter.Node is not { } node)
        {
            return false;
        }
        waiter.Node = null;
        _waiters.Remove(node);
        Permits -= waiter.Permits;
        return true;
    }

    /// <summary>Whose turn it is; null when nobody waits.</summary>
    public PermitWaiter? Next() => (NewestFirst ? _waiters.Last : _waiters.First)?.Value;

    /// <summary>Whose turn it is among those who want so many; null when there is none.</summary>
    public PermitWaiter? Next(int permits)
    {
        for (var node = NewestFirst ? _waiters.Last : _waiters.First; node is not null; node = NewestFirst ? node.Previous : node.Next)
        {
            if (node.Value.Permits == permits)
            {
                return node.Value;
            }
        }
        return null;
    }

    /// <summary>Removes all.</summary>
    public List<PermitWaiter> Clear()
    {
        List<PermitWaiter> all = [.. _waiters];
        all.ForEach(w => Remove(w));
        return all;
    }
}
