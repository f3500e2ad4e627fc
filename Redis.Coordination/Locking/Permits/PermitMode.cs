namespace AspireRedis.Coordination.Locking.Permits;

/// <summary>How a lease is wanted.</summary>
internal enum PermitMode
{
    /// <summary>Beside others.</summary>
    Shared,

    /// <summary>Alone.</summary>
    Exclusive,
}
