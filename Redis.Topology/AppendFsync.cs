namespace AspireRedis.Topology;

/// <summary>Whether an append-only file is kept and how often it is forced to disk.</summary>
public enum AppendFsync
{
    /// <summary>No append-only file.</summary>
    Off,

    /// <summary>Forced to disk each second: a crash of the machine (not of the process) loses up to about a second.</summary>
    EverySecond,

    /// <summary>Forced to disk before a write is answered.</summary>
    Always,
}
