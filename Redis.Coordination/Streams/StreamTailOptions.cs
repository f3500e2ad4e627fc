namespace AspireRedis.Coordination.Streams;

/// <summary>Options of a <see cref="StreamTail"/>.</summary>
public sealed class StreamTailOptions
{
    /// <summary>How many entries are read at a time. Default 500.</summary>
    public int BatchSize { get; set; } = 500;

    /// <summary>
    /// The least time between two reads, so that a busy stream costs the server so many reads at the most. An entry that comes after a
    /// longer silence is read at once. Default 20 ms.
    /// </summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a read waits at the server for an entry. Default 5 s.</summary>
    public TimeSpan Block { get; set; } = TimeSpan.FromSeconds(5);

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1, nameof(BatchSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(Interval, TimeSpan.Zero, nameof(Interval));
        ArgumentOutOfRangeException.ThrowIfLessThan(Block, TimeSpan.FromMilliseconds(1), nameof(Block));
    }
}
