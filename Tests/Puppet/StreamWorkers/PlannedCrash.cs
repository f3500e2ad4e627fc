using System.Diagnostics;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>SIGKILL to the own process when a point is reached for the n-th time.</summary>
internal sealed class PlannedCrash(CrashPoint point, int nth)
{
    private int _times;

    public bool IsPlannedAt(CrashPoint here) => here == point;

    public void Reached(CrashPoint here)
    {
        if (here == point && Interlocked.Increment(ref _times) == nth)
        {
            Process.GetCurrentProcess().Kill();
            // Not one instruction of the program more, even if the signal takes its time.
            Thread.Sleep(Timeout.Infinite);
        }
    }
}
