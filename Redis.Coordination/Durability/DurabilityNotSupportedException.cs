namespace AspireRedis.Coordination;

/// <summary>The servers cannot give the level of durability that was asked for. Nothing was written.</summary>
public sealed class DurabilityNotSupportedException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="durability">The level.</param>
    /// <param name="reason">What the servers lack.</param>
    public DurabilityNotSupportedException(Durability durability, string reason)
        : base($"Durability {durability} is not possible here: {reason}")
        => Durability = durability;

    /// <summary>The level that was asked for.</summary>
    public Durability Durability { get; }
}
