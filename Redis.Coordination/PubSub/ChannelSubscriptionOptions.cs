namespace AspireRedis.Coordination.PubSub;

/// <summary>Options of a subscription.</summary>
public sealed class ChannelSubscriptionOptions
{
    /// <summary>
    /// How many messages wait for the handler at most. Those that come when so many wait are dropped, and the handler is told how many
    /// (<see cref="ChannelGapReason.Overflow"/>) in their place. Default 1,000.
    /// </summary>
    public int Capacity { get; set; } = 1_000;

    internal void Validate() => ArgumentOutOfRangeException.ThrowIfLessThan(Capacity, 1, nameof(Capacity));
}
