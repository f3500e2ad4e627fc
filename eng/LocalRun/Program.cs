using System.Runtime.InteropServices;
using AspireRedis.LocalRun;
using AspireRedis.Topology;

// The AppHost's topology and services without the AppHost, for a machine whose package sources lack Aspire's hosting
// packages. ./run calls it: LocalRun REPOSITORY RUN-DIRECTORY [DASHBOARD-COMMAND]
if (args.Length is < 2 or > 3)
{
    Console.Error.WriteLine("usage: LocalRun REPOSITORY RUN-DIRECTORY [DASHBOARD-COMMAND]");
    return 2;
}

using var stopping = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    await using var system = new LocalSystem(repository: args[0], runDirectory: args[1]);
    await system.StartAsync(dashboardCommand: args.ElementAtOrDefault(2), stopping.Token);
    await system.WatchAsync(stopping.Token);
    return 0;
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    return 0;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or StopWaitingException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

void Stop(PosixSignalContext signal)
{
    // Not the default, which would end this process before its children.
    signal.Cancel = true;
    stopping.Cancel();
}
