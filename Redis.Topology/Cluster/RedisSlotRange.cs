namespace AspireRedis.Topology;

/// <summary>Slots of a Redis Cluster that follow one another. Immutable.</summary>
/// <param name="First">The first, from 0.</param>
/// <param name="Last">The last, up to 16383.</param>
public readonly record struct RedisSlotRange(int First, int Last)
{
    /// <summary>How many there are.</summary>
    public int Count => Last - First + 1;

    /// <summary>As Redis writes it.</summary>
    /// <returns><c>0-5460</c>, or <c>5462</c> where it is one slot.</returns>
    public override string ToString() => Count == 1 ? $"{First}" : $"{First}-{Last}";

    /// <summary>Whether a slot is one of them.</summary>
    internal bool Contains(int slot) => slot >= First && slot <= Last;
}
