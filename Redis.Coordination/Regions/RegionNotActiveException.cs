namespace AspireRedis.Coordination.Regions;

/// <summary>
/// The write was refused, and not made, because its region does not hold the right to accept writes at the moment. It is not
/// repeated: the place to write is the active region.
/// </summary>
public sealed class RegionNotActiveException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="region">Where the write was to be made.</param>
    /// <param name="activeRegion">The active region as far as is known; null when none is.</param>
    /// <param name="epoch">Its epoch; 0 when it is not known.</param>
    /// <param name="innerException">What the server said; null when it was not asked.</param>
    public RegionNotActiveException(string region, string? activeRegion, long epoch, Exception? innerException = null)
        : base(activeRegion is null ? $"Region '{region}' does not accept writes, and no region is known that does."
            : activeRegion == region ? $"Region '{region}' does not accept writes: its permission of epoch {epoch} is over."
            : $"Region '{region}' does not accept writes; '{activeRegion}' does (epoch {epoch}).", innerException)
    {
        Region = region;
        ActiveRegion = activeRegion;
        Epoch = epoch;
    }

    /// <summary>Where the write was to be made.</summary>
    public string Region { get; }

    /// <summary>The active region as far as is known, for <c>Retry-After</c> and where to go; null when none is.</summary>
    public string? ActiveRegion { get; }

    /// <summary>The epoch of <see cref="ActiveRegion"/>; 0 when it is not known.</summary>
    public long Epoch { get; }
}
