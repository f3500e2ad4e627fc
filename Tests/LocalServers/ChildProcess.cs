using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using AspireRedis.Hosting.Processes;

namespace AspireRedis.LocalServers;

/// <summary>
/// A child process with its output in a file, which can be stopped, killed and frozen, and which does not outlive this process
/// even when this process is killed. Unix only. Safe for concurrent use.
/// </summary>
public sealed class ChildProcess : IDisposable
{
    // The child itself replaces the shell, so that its id is the one that gets signals. Beside it a shell waits on a pipe
    // that only this process holds: a line means that the child has ended, end of file that this process has.
    private const string Script =
        """
        exec >>"$1" 2>&1 3<&0 </dev/null
        (read -r _ <&3 || kill -9 $$) >/dev/null 2>&1 &
        exec 3<&-
        shift
        exec "$@"
        """;

    private static readonly TimeSpan s_deathBound = TimeSpan.FromSeconds(30);

    // A session of its own: Ctrl+C in a terminal is for the parent, which then stops its children in the right order.
    private static readonly string? s_setSid = new[] { "/usr/bin/setsid", "/bin/setsid" }.FirstOrDefault(File.Exists);

    private readonly Process _process;
    private readonly StreamWriter _watchdog;
    private readonly Lock _gate = new();
    private int _released;
    private bool _disposed;

    private ChildProcess(Process process, string logFile)
    {
        _process = process;
        _watchdog = process.StandardInput;
        LogFile = logFile;
        Id = process.Id;
    }

    /// <summary>The process id of the program itself.</summary>
    public int Id { get; }

    /// <summary>The file that standard output and standard error are appended to.</summary>
    public string LogFile { get; }

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited
    {
        get
        {
            lock (_gate)
            {
                return _disposed || _process.HasExited;
            }
        }
    }

    /// <summary>
    /// The exit code, 128 plus the signal's number when a signal ended it; null while it runs and after
    /// <see cref="Dispose"/>.
    /// </summary>
    public int? ExitCode
    {
        get
        {
            lock (_gate)
            {
                return !_disposed && _process.HasExited ? _process.ExitCode : null;
            }
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="fileName">A path, or a name that is looked up on <c>PATH</c>.</param>
    /// <param name="arguments">Its arguments, not split or expanded any further.</param>
    /// <param name="logFile">Where its output is appended; the file is created if need be, its directory is not.</param>
    /// <param name="workingDirectory">Its working directory; null for this process' own.</param>
    /// <param name="environment">Variables to set, or to remove where the value is null; the rest is inherited.</param>
    /// <returns>The running process. A program that cannot be started ends with exit code 126 or 127 and says why in its log.</returns>
    /// <exception cref="PlatformNotSupportedException">On Windows.</exception>
    /// <exception cref="InvalidOperationException">The process could not be started.</exception>
    public static ChildProcess Start(
        string fileName,
        IEnumerable<string> arguments,
        string logFile,
        string? workingDirectory = null,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileName);
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentException.ThrowIfNullOrEmpty(logFile);
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Child processes are started through a POSIX shell; on Windows use WSL or containers.");
        }

        logFile = Path.GetFullPath(logFile);
        environment ??= new Dictionary<string, string?>();
        // A POSIX shell drops variables that it could not name itself, such as services__orders-api__http__0.
        var beyondShell = environment.Where(v => v.Value is not null && !v.Key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            .ToArray();
        string[] command = beyondShell.Length == 0
            ? [fileName, .. arguments]
            : ["env", .. beyondShell.Select(v => $"{v.Key}={v.Value}"), fileName, .. arguments];
        string[] shell = ["/bin/sh", "-c", Script, "sh", logFile, .. command];
        if (s_setSid is not null)
        {
            shell = [s_setSid, .. shell];
        }

        var start = new ProcessStartInfo(shell[0], shell[1..]) { RedirectStandardInput = true, WorkingDirectory = workingDirectory ?? "" };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        // Created here, so that an unusable path is this call's error.
        using (new FileStream(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
        }

        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            process.Dispose();
            throw new InvalidOperationException($"{fileName} could not be started: {e.Message}", e);
        }

        var child = new ChildProcess(process, logFile);
        process.Exited += (_, _) => child.ReleaseWatchdog();
        if (process.HasExited)
        {
            child.ReleaseWatchdog();
        }

        return child;
    }

    /// <summary>The end of the log.</summary>
    /// <param name="maximum">How many bytes at most; default 4096.</param>
    /// <returns>The text, empty when there is none.</returns>
    public string LogTail(int maximum = 4096) => ReadTail(LogFile, maximum);

    /// <summary>The end of a text file that another process may be writing.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maximum">How many bytes at most.</param>
    /// <returns>The text, empty when there is no such file.</returns>
    public static string ReadTail(string path, int maximum)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(-Math.Min(file.Length, maximum), SeekOrigin.End);
            using var reader = new StreamReader(file, Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary>SIGKILL. Returns when the process is gone; does nothing when it is gone already.</summary>
    /// <exception cref="TimeoutException">It is still there after 30 s.</exception>
    public void Kill()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _process.Kill();
            if (!_process.WaitForExit(s_deathBound))
            {
                throw new TimeoutException($"Process {Id} is still there {s_deathBound.TotalSeconds} s after SIGKILL.");
            }
        }
    }

    /// <summary>
    /// SIGSTOP: the process keeps its sockets and answers nothing. Does nothing when it has ended. A program that is
    /// frozen before it has shown that it runs may outlive this process: its guard may not have started.
    /// </summary>
    public void Freeze() => Signal(UnixSignal.Stop);

    /// <summary>SIGCONT: a frozen process goes on where it was. Does nothing when it has ended.</summary>
    public void Thaw() => Signal(UnixSignal.Continue);

    /// <summary>SIGTERM, and SIGCONT for a frozen process, and SIGKILL when that does not end it in time.</summary>
    /// <param name="bound">How long to wait before SIGKILL.</param>
    /// <param name="repeatAfter">When to send SIGTERM again, for programs that may refuse it once; null for never.</param>
    /// <param name="cancellationToken">Ends the wait, without SIGKILL.</param>
    /// <returns>True when it ended by itself, false when it had to be killed.</returns>
    public async Task<bool> StopAsync(TimeSpan bound, TimeSpan? repeatAfter = null, CancellationToken cancellationToken = default)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            Signal(UnixSignal.Terminate);
            // A frozen process would keep the signal for later.
            Signal(UnixSignal.Continue);
            var left = bound - clock.Elapsed;
            var wait = repeatAfter is { } repeat && repeat < left ? repeat : left;
            try
            {
                await WaitForExitAsync(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, cancellationToken);
                return true;
            }
            catch (TimeoutException) when (clock.Elapsed >= bound)
            {
                Kill();
                return false;
            }
            catch (TimeoutException)
            {
                // Once more.
            }
        }
    }

    /// <summary>Waits until the process has ended.</summary>
    /// <param name="bound">How long at most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when the process has.</returns>
    /// <exception cref="TimeoutException">The bound has passed.</exception>
    public async Task WaitForExitAsync(TimeSpan bound, CancellationToken cancellationToken = default)
    {
        if (HasExited)
        {
            return;
        }

        await _process.WaitForExitAsync(cancellationToken).WaitAsync(bound, cancellationToken);
    }

    /// <summary>Kills the process if it runs, and releases what it holds. The log stays.</summary>
    public void Dispose()
    {
        Kill();
        lock (_gate)
        {
            if (!_disposed)
            {
                _disposed = true;
                _process.Dispose();
            }
        }
    }

    private void Signal(int signal)
    {
        lock (_gate)
        {
            // Until it is known to have ended its id cannot be another process'.
            if (!_disposed && !_process.HasExited)
            {
                UnixSignal.Send(Id, signal);
            }
        }
    }

    // Process calls this under a lock of its own, which its other members take as well: no lock here, or the two deadlock.
    private void ReleaseWatchdog()
    {
        if (Interlocked.Exchange(ref _released, 1) != 0)
        {
            return;
        }

        try
        {
            _watchdog.Write('\n');
            _watchdog.Dispose();
        }
        catch (IOException)
        {
            // It is gone as well.
        }
    }
}
