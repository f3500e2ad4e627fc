using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>The peer: npm <c>bullmq</c>, installed into a folder that is deleted at the end, on the same Redis server.</summary>
internal static class BullMq
{
    private const string Driver = "bullmq.mjs";
    private static readonly string[] s_packages = ["bullmq@6.7.0", "ioredis@6.0.0"];
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);

    /// <summary>Null, after one line that says why, where it cannot be run.</summary>
    public static async Task<PeerResult?> RunAsync(int port, int jobs, TimeSpan window)
    {
        var folder = Directory.CreateTempSubdirectory("aspire-redis-bullmq-").FullName;
        try
        {
            if (await FailureAsync(folder) is { } failure)
            {
                Console.WriteLine($"  The peer bullmq is left out: {failure}");
                return null;
            }
            File.Copy(Path.Combine(AppContext.BaseDirectory, "Streams", Driver), Path.Combine(folder, Driver));
            var rate = JsonSerializer.Deserialize<double>(await NodeAsync(folder, "drain", port, jobs));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  bullmq drain of {jobs:N0}: {rate:N0}/s"));

            var warmUp = (int)(s_warmUp.TotalSeconds * StreamDelivery.PerSecond);
            var count = warmUp + (int)(window.TotalSeconds * StreamDelivery.PerSecond);
            using var worker = Start(folder, "work", port, count);
            if (await worker.StandardOutput.ReadLineAsync() != "ready")
            {
                throw new InvalidOperationException("The bullmq worker did not start.");
            }
            await NodeAsync(folder, "add", port, count, StreamDelivery.PerSecond);
            var times = JsonSerializer.Deserialize<double[]>(await OutputAsync(worker))!;
            return new PeerResult(rate, [.. times.Skip(warmUp)]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string?> FailureAsync(string folder)
    {
        try
        {
            using var npm = Process.Start(new ProcessStartInfo(
                "npm", ["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", folder, .. s_packages])
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

    private static async Task<string> NodeAsync(string folder, string mode, params int[] arguments)
    {
        using var process = Start(folder, mode, arguments);
        return await OutputAsync(process);
    }

    private static Process Start(string folder, string mode, params int[] arguments)
        => Process.Start(new ProcessStartInfo(
            "node", [Path.Combine(folder, Driver), mode, .. arguments.Select(a => a.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardOutput = true,
        })!;

    private static async Task<string> OutputAsync(Process process)
    {
        try
        {
            using var deadline = new CancellationTokenSource(s_bound);
            var output = await process.StandardOutput.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return process.ExitCode == 0 ? output : throw new InvalidOperationException($"node ended with exit code {process.ExitCode}.");
        }
        finally
        {
            process.Kill();
        }
    }
}

/// <summary>Jobs per second, and milliseconds from add to handler.</summary>
internal sealed record PeerResult(double Rate, IReadOnlyList<double> Delivery);
