using System.Diagnostics;
using System.Text;

namespace AspireRedis.Puppet.Contending;

/// <summary>
/// The history of one process: a line for each event, in the hands of the operating system when <see cref="Write"/>
/// returns, so that it survives <c>kill -9</c>. Safe for concurrent use.
/// </summary>
public sealed class HistoryLog(string path, string? process) : IDisposable
{
    private readonly FileStream _file = new(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
    private readonly Lock _gate = new();

    /// <summary>Nanoseconds of the monotonic clock.</summary>
    public static long Now => Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);

    public void Write(HistoryEvent entry)
    {
        var line = Encoding.UTF8.GetBytes((entry with { Process = entry.Process ?? process }).ToJson() + "\n");
        lock (_gate)
        {
            _file.Write(line);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _file.Dispose();
        }
    }
}
