using System.Globalization;
using AspireRedis.Chaos.Faults;

namespace AspireRedis.Chaos.Report;

/// <summary>A line per fault.</summary>
internal sealed class ConsoleProgress(TextWriter output, int faults) : IChaosProgress
{
    public void Begun(int number, Fault fault, string target)
        => output.Write(string.Create(CultureInfo.InvariantCulture,
            $"{number + 1,5} of {faults}  {fault.Kind,-23} {Short(target),-28} {fault.Duration.TotalSeconds,5:0.0} s"));

    public void Ended(int number, FaultRecord fault, int acknowledged)
        => output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"   {(fault.Recovery is { } recovery ? $"whole after {recovery.TotalSeconds,4:0.0} s" : "NOT WHOLE AGAIN   ")}   silence {fault.Silence.TotalSeconds,4:0.0} s   {fault.Failed,5} failed   longest {fault.LongestAnswer.TotalSeconds,5:0.00} s   {acknowledged,6} acknowledged"));

    public void Settling() => output.WriteLine("Waiting until everything is handled, then checking");

    private static string Short(string target) => target.Length <= 28 ? target : $"{target[..25]}...";
}
