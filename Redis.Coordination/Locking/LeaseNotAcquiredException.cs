namespace AspireRedis.Coordination.Locking;

/// <summary>The lease was held by somebody else until the wait ran out.</summary>
public sealed class LeaseNotAcquiredException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="resource">The name of the lease.</param>
    /// <param name="waited">How long was waited.</param>
    public LeaseNotAcquiredException(string resource, TimeSpan waited)
        : base($"The lease '{resource}' was not free within {waited.TotalSeconds:0.###} s.") => Resource = resource;

    /// <summary>The name of the lease.</summary>
    public string Resource { get; }
}
