using System.Diagnostics;
using System.Text.RegularExpressions;

namespace AspireRedis.Hosting.Processes;

/// <summary>The <c>redis-server</c> executable of this machine. Immutable.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Version">What it says its version is.</param>
internal sealed partial record RedisServerBinary(string Path, Version Version)
{
    /// <summary>The environment variable that names the executable; without it <c>PATH</c> is searched.</summary>
    public const string EnvironmentVariable = "REDIS_SERVER";

    private static readonly TimeSpan s_versionBound = TimeSpan.FromSeconds(30);

    /// <summary>Locates the executable and asks for its version.</summary>
    /// <returns>The executable.</returns>
    /// <exception cref="InvalidOperationException">
    /// There is none, or it does not say its version; the message tells how to install it.
    /// </exception>
    public static RedisServerBinary Find() =>
        Find(Environment.GetEnvironmentVariable(EnvironmentVariable), Environment.GetEnvironmentVariable("PATH"));

    internal static RedisServerBinary Find(string? named, string? searchPath)
    {
        string path;
        if (!string.IsNullOrEmpty(named))
        {
            // Not resolved through links: the executable decides by its name what it is.
            path = System.IO.Path.GetFullPath(named);
            if (!File.Exists(path))
            {
                throw new InvalidOperationException($"{EnvironmentVariable} names {named}, which does not exist.");
            }
        }
        else
        {
            path = (searchPath ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, "redis-server")))
                .FirstOrDefault(File.Exists)
                ?? throw new InvalidOperationException(
                    "redis-server was not found on PATH. Install it ('apt-get install redis-server', 'dnf install redis' or 'brew install redis'), "
                    + $"or name the executable in the environment variable {EnvironmentVariable}.");
        }

        return new RedisServerBinary(path, ReadVersion(path));
    }

    private static Version ReadVersion(string path)
    {
        var start = new ProcessStartInfo(path, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{path} cannot be started: {e.Message}", e);
        }

        using (process)
        {
            if (!process.WaitForExit(s_versionBound))
            {
                process.Kill();
                throw new InvalidOperationException($"'{path} --version' did not end within {s_versionBound.TotalSeconds} s.");
            }

            var output = process.StandardOutput.ReadToEnd();
            var match = VersionPattern().Match(output);
            return match.Success && Version.TryParse(match.Groups[1].Value, out var version)
                ? version
                : throw new InvalidOperationException($"'{path} --version' says no version: {output.Trim()}");
        }
    }

    [GeneratedRegex(@"\bv=(\d+\.\d+(\.\d+)?)")]
    private static partial Regex VersionPattern();
}
