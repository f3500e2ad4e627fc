using System.Diagnostics;

namespace AspireRedis.Benchmarks;

/// <summary>This program once more, as a client process of its own.</summary>
internal static class Worker
{
    public const string Verb = "worker";

    public static Process Start(ISuite suite, params string[] arguments)
    {
        string[] all = [Verb, suite.Name, .. arguments];
        // Either the program's own executable or `dotnet X.dll`.
        var own = Environment.ProcessPath!;
        if (Path.GetFileNameWithoutExtension(own) == "dotnet")
        {
            all = [typeof(Worker).Assembly.Location, .. all];
        }
        return Process.Start(new ProcessStartInfo(own, all) { RedirectStandardOutput = true })!;
    }

    /// <summary>What the worker printed, once it has ended well.</summary>
    public static async Task<string> OutputAsync(Process worker)
    {
        var output = await worker.StandardOutput.ReadToEndAsync();
        await worker.WaitForExitAsync();
        using (worker)
        {
            return worker.ExitCode == 0 ? output : throw new InvalidOperationException($"A worker ended with exit code {worker.ExitCode}.");
        }
    }
}
