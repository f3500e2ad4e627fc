using System.Globalization;
using System.Runtime.InteropServices;

namespace AspireRedis.Testing;

/// <summary>
/// A full disk for one process: it can make no file longer than it is (RLIMIT_FSIZE), so a server cannot append to its
/// append-only file. Needs no root. Linux only.
/// </summary>
public static partial class DiskLimit
{
    private const int FileSize = 1;
    private const int FileSizeSignal = 25;

    /// <summary>
    /// To be called before the process is started: a write beyond the limit would end it with SIGXFSZ, where a full disk
    /// gives an error. A child inherits that the signal is ignored.
    /// </summary>
    public static void PrepareForChildren()
    {
        if (IgnoreSignal(FileSizeSignal, 1) == -1)
        {
            throw new InvalidOperationException($"SIGXFSZ cannot be ignored: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    /// <summary>From now on the process finds its disk full.</summary>
    /// <exception cref="InvalidOperationException">It has ended, or would be ended by the signal.</exception>
    public static void Fill(int processId)
    {
        var ignored = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status"))
            .First(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        if ((ulong.Parse(ignored.AsSpan("SigIgn:".Length).Trim(), NumberStyles.HexNumber,
            CultureInfo.InvariantCulture) >> (FileSizeSignal - 1) & 1) == 0)
        {
            throw new InvalidOperationException(
                $"Process {processId} was started before {nameof(PrepareForChildren)}: the signal would end it.");
        }

        // The soft limit alone: it may be raised again by anybody.
        Set(processId, limits => limits with { Soft = 1 });
    }

    /// <summary>The disk has room again. Does nothing when the process has ended.</summary>
    public static void Free(int processId)
    {
        try
        {
            Set(processId, limits => limits with { Soft = limits.Hard });
        }
        catch (InvalidOperationException) when (!Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}")))
        {
            // It has ended.
        }
    }

    private static unsafe void Set(int processId, Func<Limits, Limits> change)
    {
        Limits limits;
        var failed = ChangeLimit(processId, FileSize, null, &limits) != 0;
        if (!failed)
        {
            limits = change(limits);
            failed = ChangeLimit(processId, FileSize, &limits, null) != 0;
        }

        if (failed)
        {
            throw new InvalidOperationException($"The limit of process {processId} cannot be set: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static unsafe partial int ChangeLimit(int pid, int resource, Limits* now, Limits* before);

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint IgnoreSignal(int signal, nint handler);

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limits(long Soft, long Hard);
}
