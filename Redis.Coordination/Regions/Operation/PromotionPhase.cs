namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>The steps of a promotion in their order. Whoever dies behind one leaves what the next to come goes on with.</summary>
internal enum PromotionPhase
{
    /// <summary>The region has the lease, and so an epoch.</summary>
    Leased,

    /// <summary>The witnesses know the region as the active one: the point of no return.</summary>
    Recorded,

    /// <summary>Its head is a primary.</summary>
    Promoted,

    /// <summary>The head may be written to.</summary>
    Permitted,

    /// <summary>It stays a primary over a restart.</summary>
    Kept,

    /// <summary>Its Sentinels monitor it.</summary>
    Monitored,

    /// <summary>Its other servers follow it and may be promoted.</summary>
    Followed,
}
