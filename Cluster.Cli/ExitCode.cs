namespace AspireRedis.Cluster.Cli;

/// <summary>How the tool ends.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>Refused; nothing is changed.</summary>
    public const int Refused = 1;

    /// <summary>The command line cannot be used.</summary>
    public const int Usage = 2;

    /// <summary>Begun and not ended: the cluster has a part of the keys.</summary>
    public const int Begun = 3;

    /// <summary>Everything was copied, and the cluster has something else than the source.</summary>
    public const int Differs = 4;

    /// <summary>Stopped by a signal; nothing is changed.</summary>
    public const int Stopped = 130;
}
