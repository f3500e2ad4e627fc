using System.Diagnostics;

namespace AspireRedis.Streams.Conformance.Worker;

/// <summary>SIGKILL to the own process when a step is reached for the n-th time.</summary>
internal sealed class Suicide(KillStep step, int nth)
{
    private int _reached;

    public bool IsPlannedAt(KillStep here) => here == step;

    public void At(KillStep here)
    {
        if (here == step && Interlocked.Increment(ref _reached) == nth)
        {
            Process.GetCurrentProcess().Kill();
            // Not one instruction of the program more, even if the signal takes its time.
            Thread.Sleep(Timeout.Infinite);
        }
    }
}
