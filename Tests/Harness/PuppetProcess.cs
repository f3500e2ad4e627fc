namespace AspireRedis.Testing;

/// <summary>
/// Starts <c>Tests/Puppet</c>, the program that tests kill and freeze. A test project that uses it refers to that project, so that
/// it is built.
/// </summary>
public static class PuppetProcess
{
    /// <summary>The exit code of a process that SIGKILL ended.</summary>
    public const int KilledExitCode = 128 + 9;

    // There are more of them than processors, and each start counts.
    private static readonly Dictionary<string, string?> s_environment = new() { ["DOTNET_gcServer"] = "0", ["DOTNET_TieredPGO"] = "0" };

    /// <summary>Starts one.</summary>
    /// <param name="command">A command of <c>Tests/Puppet/Program.cs</c>.</param>
    /// <param name="arguments">What that command takes.</param>
    /// <param name="logFile">See <see cref="ServiceProcess.StartDotNet"/>.</param>
    public static ServiceProcess Start(string command, IEnumerable<string> arguments, string? logFile = null)
        => ServiceProcess.StartDotNet(BuiltProject.Path("Tests/Puppet"), s_environment, [command, .. arguments], logFile);
}
