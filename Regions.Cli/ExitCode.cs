namespace AspireRedis.Regions.Cli;

/// <summary>How the tool ends.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>Refused or failed; nothing is changed. Of <c>status</c>: the loss of a region could not be survived now.</summary>
    public const int Refused = 1;

    /// <summary>The command line or the configuration cannot be used.</summary>
    public const int Usage = 2;

    /// <summary>It was begun and did not come to its end; the agents go on with it.</summary>
    public const int Begun = 3;

    /// <summary>A backup was restored, and what it has does not fit together.</summary>
    public const int Inconsistent = 4;

    /// <summary>Stopped by a signal; nothing is changed.</summary>
    public const int Stopped = 130;
}
