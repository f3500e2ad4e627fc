namespace AspireRedis.Topology;

/// <summary>What a server keeps on disk. Immutable.</summary>
/// <param name="Snapshots">Whether RDB snapshots are taken, at Redis' own default intervals.</param>
/// <param name="AppendOnly">Whether and how an append-only file is kept.</param>
public sealed record RedisPersistence(bool Snapshots, AppendFsync AppendOnly)
{
    /// <summary>Nothing: a restarted server is empty.</summary>
    public static RedisPersistence None { get; } = new(false, AppendFsync.Off);

    /// <summary>Snapshots only: a restarted server has lost what came after the last one.</summary>
    public static RedisPersistence Rdb { get; } = new(true, AppendFsync.Off);

    /// <summary>Snapshots and an append-only file forced to disk each second. The default.</summary>
    public static RedisPersistence AofEverySecond { get; } = new(true, AppendFsync.EverySecond);

    /// <summary>Snapshots and an append-only file forced to disk before a write is answered.</summary>
    public static RedisPersistence AofAlways { get; } = new(true, AppendFsync.Always);
}
