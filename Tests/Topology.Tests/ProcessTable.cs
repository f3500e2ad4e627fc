using System.ComponentModel;
using System.Diagnostics;

namespace AspireRedis.Topology.Tests;

internal static class ProcessTable
{
    /// <summary>Whether a process has this id, other than one that has ended and that nobody has asked about yet.</summary>
    public static bool Exists(int id)
    {
        try
        {
            return !File.ReadAllText($"/proc/{id}/stat").Split(") ")[^1].StartsWith('Z');
        }
        catch (IOException)
        {
            // No such process, or a system without /proc.
        }

        try
        {
            using var process = Process.GetProcessById(id);
            return !OperatingSystem.IsLinux() && !process.HasExited;
        }
        catch (Exception e) when (e is ArgumentException or Win32Exception or InvalidOperationException)
        {
            return false;
        }
    }
}
