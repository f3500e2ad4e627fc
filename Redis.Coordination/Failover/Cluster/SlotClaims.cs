using System.Diagnostics;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// Who serves which slot, by what the nodes of a cluster say. Of two that claim a slot the one with the higher configuration epoch is
/// right, whoever speaks: a primary that wakes after another was elected still claims what it had.
/// </summary>
/// <remarks>
/// A claim is given up by the claimant alone, or when nobody has named it for ten seconds, as after all nodes were set up anew. Not safe
/// for concurrent use.
/// </remarks>
internal sealed class SlotClaims
{
    private const long GivenUp = -1;

    private static readonly TimeSpan s_forgotten = TimeSpan.FromSeconds(10);

    private readonly string?[] _owners = new string?[KeySlot.Count];
    private readonly long[] _epochs = new long[KeySlot.Count];
    private readonly Dictionary<string, long> _named = new(StringComparer.Ordinal);

    public SlotClaims() => Array.Fill(_epochs, GivenUp);

    /// <summary>The node that serves a slot; null when none is known to have served it.</summary>
    public string? OwnerOf(int slot) => _owners[slot];

    /// <summary>A node has spoken. True when a slot has another owner.</summary>
    public bool Hear(ClusterView view)
    {
        var now = Stopwatch.GetTimestamp();
        foreach (var node in view.Nodes)
        {
            _named[node.Id] = now;
        }
        var changed = false;
        foreach (var node in view.Nodes)
        {
            if (!node.IsPrimary)
            {
                continue;
            }
            foreach (var (first, last) in node.Slots)
            {
                for (var slot = first; slot <= last; slot++)
                {
                    if (node.Epoch > _epochs[slot])
                    {
                        _epochs[slot] = node.Epoch;
                        changed |= _owners[slot] != node.Id;
                        _owners[slot] = node.Id;
                    }
                }
            }
        }
        GiveUp(view.Nodes.First(n => n.Id == view.Speaker));
        Forget(now);
        return changed;
    }

    /// <summary>What the speaker had and does not claim any more. It stays the owner until another one claims it.</summary>
    private void GiveUp(ClusterNodeState self)
    {
        var slot = 0;
        foreach (var (first, last) in self.Slots.Order())
        {
            Until(first);
            slot = last + 1;
        }
        Until(KeySlot.Count);

        void Until(int end)
        {
            for (; slot < end; slot++)
            {
                if (_owners[slot] == self.Id)
                {
                    _epochs[slot] = GivenUp;
                }
            }
        }
    }

    private void Forget(long now)
    {
        foreach (var (id, at) in _named)
        {
            if (Stopwatch.GetElapsedTime(at, now) < s_forgotten)
            {
                continue;
            }
            _named.Remove(id);
            for (var slot = 0; slot < KeySlot.Count; slot++)
            {
                if (_owners[slot] == id)
                {
                    _epochs[slot] = GivenUp;
                }
            }
        }
    }
}
