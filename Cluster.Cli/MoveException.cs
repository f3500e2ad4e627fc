namespace AspireRedis.Cluster.Cli;

/// <summary>The move is refused or has failed, for a reason that is told to whoever called.</summary>
internal sealed class MoveException(string message, int exitCode = ExitCode.Refused, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>One of <see cref="Cli.ExitCode"/>.</summary>
    public int ExitCode => exitCode;
}
