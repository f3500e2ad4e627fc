using System.Globalization;
using AspireRedis.Streams.Conformance.Worker;
using AspireRedis.Testing;

namespace AspireRedis.Streams.Conformance.Kills;

/// <summary>Starts the program of <c>Tests/Streams.Conformance.Worker</c>.</summary>
internal static class WorkerProcess
{
    public const int KilledExitCode = 128 + 9;

    public static ServiceProcess Start(string kind, string connectionString, string stream, string consumer, string mails, KillStep step = KillStep.None, int nth = 1)
        => ServiceProcess.StartDotNet(
            Path.Combine(AppContext.BaseDirectory, $"{typeof(WorkItem).Assembly.GetName().Name}.dll"),
            // Each start counts here, and the programs are short.
            new Dictionary<string, string?> { ["DOTNET_TieredPGO"] = "0" },
            [kind, connectionString, stream, consumer, mails, step.ToString(), nth.ToString(CultureInfo.InvariantCulture)]);
}
