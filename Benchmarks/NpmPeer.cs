using System.ComponentModel;
using System.Diagnostics;

namespace AspireRedis.Benchmarks;

/// <summary>A client library of Node that is measured beside ours, installed into a temporary folder.</summary>
internal static class NpmPeer
{
    /// <summary>False, after one line that says why, where it cannot be run.</summary>
    /// <param name="folder">Gets the packages and the driver.</param>
    /// <param name="driver">The program that uses them.</param>
    /// <param name="packages">With their versions.</param>
    public static async Task<bool> InstallAsync(string folder, string driver, string[] packages)
    {
        if (await FailureAsync(folder, packages) is { } failure)
        {
            Console.WriteLine($"  The peer {packages[0]} is left out: {failure}");
            return false;
        }
        File.Copy(driver, Path.Combine(folder, Path.GetFileName(driver)));
        return true;
    }

    private static async Task<string?> FailureAsync(string folder, string[] packages)
    {
        try
        {
            using var npm = Process.Start(new ProcessStartInfo(
                "npm", ["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", folder, .. packages])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var error = npm.StandardError.ReadToEndAsync();
            await npm.StandardOutput.ReadToEndAsync();
            await npm.WaitForExitAsync();
            return npm.ExitCode == 0 ? null : $"npm install ended with {npm.ExitCode}: {(await error).Split('\n')[0]}";
        }
        catch (Win32Exception)
        {
            return "npm is not installed.";
        }
    }
}
