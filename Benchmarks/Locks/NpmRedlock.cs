using System.Diagnostics;
using System.Globalization;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>The peer: npm <c>redlock</c> with its defaults, on the same Redis server and under the same contention.</summary>
internal static class NpmRedlock
{
    private const string Driver = "redlock.mjs";
    private static readonly string[] s_packages = ["redlock@5.0.0-beta.2", "ioredis@5"];

    /// <summary>Null where it cannot be run.</summary>
    public static async Task<ContendedResult?> RunAsync(int port, int processes, TimeSpan window)
    {
        var folder = Directory.CreateTempSubdirectory("aspire-redis-redlock-").FullName;
        try
        {
            if (!await NpmPeer.InstallAsync(folder, Path.Combine(AppContext.BaseDirectory, "Locks", Driver), s_packages))
            {
                return null;
            }
            return await ContendedLeases.RunAsync("npm redlock", processes, window, (contenders, start, length) => Process.Start(
                new ProcessStartInfo("node", [Path.Combine(folder, Driver), Text(port), Text(contenders), Text(start),
                Text(length.TotalSeconds)])
                {
                    RedirectStandardOutput = true,
                })!);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
