using System.Runtime.InteropServices;

namespace AspireRedis.Hosting.Processes;

/// <summary>The signals that .NET cannot send.</summary>
internal static partial class UnixSignal
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public static readonly int Stop = OperatingSystem.IsMacOS() ? 17 : 19;
    public static readonly int Continue = OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>False when there is no such process, or it is another user's.</summary>
    public static bool Send(int processId, int signal) => SendSignal(processId, signal) == 0;

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int processId, int signal);
}
