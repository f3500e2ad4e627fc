namespace AspireRedis.Puppet.Contending.Locks;

/// <summary>A lock as the contenders see it.</summary>
internal interface ILock
{
    /// <summary>Null when the wait ran out.</summary>
    Task<IHold?> TryAcquireAsync(string resource, TimeSpan wait, CancellationToken cancellationToken);
}

/// <summary>A lock that is held, or was. Disposing gives it back.</summary>
internal interface IHold : IAsyncDisposable
{
    long Token { get; }

    /// <summary>What the holder believes.</summary>
    bool IsHeld { get; }

    /// <summary>How long it will believe that without another renewal.</summary>
    TimeSpan Remaining { get; }

    CancellationToken Lost { get; }
}
