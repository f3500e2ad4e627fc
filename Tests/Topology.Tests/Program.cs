using AspireRedis.LocalServers;
using AspireRedis.Testing;

namespace AspireRedis.Topology.Tests;

/// <summary>Lets this assembly be a process of its own, for what only the death of a whole process shows.</summary>
internal static class Program
{
    public const string HoldAChild = "hold-a-child";

    private static async Task<int> Main(string[] arguments)
    {
        if (arguments is not [HoldAChild, var log])
        {
            return 2;
        }

        using var child = ChildProcess.Start("sh", ["-c", "echo up; exec sleep 600"], log);
        await Eventually.TrueAsync(() => child.LogTail().Contains("up", StringComparison.Ordinal), "the child is up");
        child.Freeze();
        Console.WriteLine($"child:{child.Id}");
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
