using System.Diagnostics;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// How far a standby is behind, in time: how long ago the active region was where the standby is now, by positions that were seen
/// there. Not safe for concurrent use.
/// </summary>
internal sealed class ReplicationLag
{
    private const int MaxSamples = 10_000;

    private readonly Queue<(long At, long Offset)> _seen = new();
    private long _syncedAt;

    /// <summary>Since when it is behind; null before it was ever seen to be level.</summary>
    public TimeSpan? Time => _syncedAt == 0 ? null : Stopwatch.GetElapsedTime(_syncedAt);

    public long Bytes { get; private set; }

    /// <summary>The active region was here before <paramref name="standby"/> was asked for.</summary>
    public void Saw(long at, long active, long standby)
    {
        _seen.Enqueue((at, active));
        Bytes = Math.Max(0, active - standby);
        while (_seen.TryPeek(out var oldest) && oldest.Offset <= standby)
        {
            _syncedAt = oldest.At;
            _seen.Dequeue();
        }
        if (_seen.Count > MaxSamples)
        {
            _seen.Dequeue();
        }
    }

    /// <summary>Positions of another primary are other positions.</summary>
    public void Reset() => _seen.Clear();
}
