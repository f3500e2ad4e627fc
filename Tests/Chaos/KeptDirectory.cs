using System.Runtime.InteropServices;
using AspireRedis.LocalServers;

namespace AspireRedis.Chaos;

/// <summary>Runs something in a directory of its own, which stays when something was wrong, until SIGINT or SIGTERM.</summary>
internal static class KeptDirectory
{
    /// <summary>Returns the exit code: 0, 1 when a promise was broken or the run broke off, 130 when it was stopped.</summary>
    /// <param name="prefix">Of the name of the directory.</param>
    /// <param name="run">Given the directory, and the token that ends it. Returns whether all promises were kept.</param>
    public static async Task<int> RunAsync(string prefix, Func<string, CancellationToken, Task<bool>> run)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var directory = Directory.CreateTempSubdirectory(prefix).FullName;
        var keep = true;
        try
        {
            keep = !await run(directory, stopping.Token);
            return keep ? 1 : 0;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            keep = false;
            Console.Error.WriteLine("Stopped.");
            return 130;
        }
        catch (Exception e) when (e is TimeoutException or InvalidOperationException or StopWaitingException or HttpRequestException)
        {
            Console.Error.WriteLine($"{e.Message}\nData and logs stay in {directory}");
            return 1;
        }
        finally
        {
            if (!keep)
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        void Stop(PosixSignalContext signal)
        {
            // Not the default, which would end this process before its children.
            signal.Cancel = true;
            stopping.Cancel();
        }
    }
}
