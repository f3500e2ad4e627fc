namespace AspireRedis.Streams.Conformance.Libraries;

/// <summary>What known libraries and textbook loops do wrong.</summary>
[Flags]
public enum Flaws
{
    None = 0,

    /// <summary>Reads new entries only: what a dead consumer had is nobody's.</summary>
    NeverClaims = 1,

    /// <summary>XAUTOCLAIM always from 0-0: it examines ten times its COUNT and never gets behind a busy head.</summary>
    ClaimsFromTheStart = 1 << 1,

    /// <summary>Tries again by XACK and then XADD: a crash in between loses the entry.</summary>
    RequeuesInTwoSteps = 1 << 2,

    /// <summary>The loop ends at the first error, and nobody notices.</summary>
    EndsAtErrors = 1 << 3,

    /// <summary>Creates the group at the start only: a server that has lost it answers NOGROUP for ever.</summary>
    CreatesTheGroupOnce = 1 << 4,

    /// <summary>Skips pending entries that were trimmed away without clearing them, and finds them again at once.</summary>
    SkipsTrimmedEntries = 1 << 5,

    /// <summary>No dead letters: what cannot be handled comes again for ever.</summary>
    NoDeadLetters = 1 << 6,

    /// <summary>One entry after the other: a slow one holds up all behind it.</summary>
    OneAtATime = 1 << 7,

    /// <summary>Creates the group at the end of the stream, the default of many examples.</summary>
    BeginsAtTheEnd = 1 << 8,

    /// <summary>Does not ask for its own pending entries when it comes back.</summary>
    ForgetsItsOwn = 1 << 9,

    /// <summary>Stops between the handler and the acknowledgement.</summary>
    StopsBeforeAcknowledging = 1 << 10,

    /// <summary>Reads without a group, from the id it knows: each instance gets everything.</summary>
    SharesNothing = 1 << 11,

    /// <summary>One group name for everybody: what one has, the other does not get.</summary>
    OneGroupForAll = 1 << 12,

    /// <summary>Acknowledges before the handler has run.</summary>
    AcknowledgesFirst = 1 << 13,

    /// <summary>Tries a failed entry again on the spot, and those behind it wait.</summary>
    RetriesInPlace = 1 << 14,
}
