namespace AspireRedis.Coordination.Locking;

/// <summary>The lease has run out or was taken over; its holder must not write any more.</summary>
public sealed class LeaseLostException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="resource">The name of the lease.</param>
    public LeaseLostException(string resource)
        : base($"The lease '{resource}' is lost: it ran out or was taken over before the work was done.") => Resource = resource;

    /// <summary>The name of the lease.</summary>
    public string Resource { get; }
}
