using System.Runtime.InteropServices;
using AspireRedis.Chaos;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Report;
using AspireRedis.LocalServers;

ChaosOptions options;
try
{
    options = ChaosOptions.Parse(args);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"{e.Message}\n\n{ChaosOptions.Usage}");
    return 2;
}

using var stopping = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
var directory = Directory.CreateTempSubdirectory("aspire-redis-chaos-").FullName;
var keep = true;
try
{
    Console.WriteLine($"{options.Faults} faults, seed {options.Seed}, durability {options.Durability}; data and logs in {directory}");
    var result = await ChaosRun.RunAsync(
        FaultPlan.Create(options.Seed, options.Faults, options.Kinds), options.Seed, options.Rate, options.Durability, directory,
        new ConsoleProgress(Console.Out, options.Faults), stopping.Token);
    ResultTable.Write(Console.Out, result);
    if (options.Json is not null)
    {
        await ResultJson.WriteAsync(options.Json, options, result);
    }
    if (options.Plot is not null)
    {
        await Timeline.WriteAsync(options.Plot, result);
    }
    Console.WriteLine();
    Console.WriteLine(result.Violations.Count == 0
        ? $"No violation in {result.Faults.Count} faults, {result.Acknowledgements.Count} acknowledged orders."
        : $"{result.Violations.Count} violations; repeat with --seed {options.Seed}; data and logs stay in {directory}");
    keep = result.Violations.Count > 0;
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
