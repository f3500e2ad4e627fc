namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>Where a worker kills itself.</summary>
public enum CrashPoint
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>The entry is read, its handler has not been called.</summary>
    AfterRead,

    /// <summary>The handler has been called, the effect has not been made.</summary>
    InHandler,

    /// <summary>
    /// The outside effect is made and not acknowledged; the script that makes state and acknowledgement is sent and not
    /// answered.
    /// </summary>
    AfterEffect,

    /// <summary>The acknowledgement has arrived.</summary>
    AfterAcknowledgement,
}
