using AspireRedis.LocalServers;

namespace AspireRedis.Testing;

/// <summary>A service under test as a child process, so that it can be killed for real. It does not outlive the test run.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    /// <summary>How long a service may take to become healthy when nothing else is said.</summary>
    public static readonly TimeSpan DefaultHealthBound = TimeSpan.FromSeconds(90);

    /// <summary>How long a service may take to end after SIGTERM when nothing else is said.</summary>
    public static readonly TimeSpan DefaultStopBound = TimeSpan.FromSeconds(60);

    // A probe of its own, for a service that accepts connections and does not answer.
    private static readonly HttpClient s_probe = new() { Timeout = TimeSpan.FromSeconds(5) };

    private readonly ChildProcess _child;
    private readonly bool _deleteLog;

    private ServiceProcess(string name, ChildProcess child, bool deleteLog)
    {
        Name = name;
        _child = child;
        _deleteLog = deleteLog;
    }

    public string Name { get; }

    public int ProcessId => _child.Id;

    public bool HasExited => _child.HasExited;

    /// <summary>128 plus the signal's number when a signal ended it; null while it runs.</summary>
    public int? ExitCode => _child.ExitCode;

    /// <summary>Standard output and standard error together.</summary>
    public string LogFile => _child.LogFile;

    /// <summary>The last 64 KiB of <see cref="LogFile"/>.</summary>
    public string Output => _child.LogTail(64 * 1024);

    /// <summary>Starts a built .NET program: <c>dotnet X.dll</c>.</summary>
    public static ServiceProcess StartDotNet(
        string dll, IReadOnlyDictionary<string, string?>? environment = null, IEnumerable<string>? arguments = null,
        string? logFile = null) =>
        // DOTNET_HOST_PATH is set where the tests run under the SDK: the same runtime for the service.
        Start(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet",
            [dll, .. arguments ?? []],
            environment,
            logFile,
            Path.GetFileNameWithoutExtension(dll),
            // Settings files are looked up in the working directory's content root.
            Path.GetDirectoryName(Path.GetFullPath(dll)));

    /// <summary>
    /// Starts any program. A null value removes a variable; without a log file a temporary one is used and deleted at
    /// the end.
    /// </summary>
    public static ServiceProcess Start(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? logFile = null,
        string? name = null,
        string? workingDirectory = null)
    {
        var child = ChildProcess.Start(fileName, arguments, logFile ?? Path.GetTempFileName(), workingDirectory, environment);
        return new ServiceProcess(name ?? Path.GetFileName(fileName), child, deleteLog: logFile is null);
    }

    /// <summary>
    /// Until a GET of <paramref name="url"/> succeeds. Fails at once, with the last output, when the process ends
    /// before.
    /// </summary>
    public async Task WaitHealthyAsync(Uri url, TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        try
        {
            await Poll.UntilAsync(
                async token =>
                {
                    if (HasExited)
                    {
                        throw new StopWaitingException(WithOutput($"{Name} ended with exit code {ExitCode} before it was healthy."));
                    }

                    using var response = await s_probe.GetAsync(url, token);
                    return response.IsSuccessStatusCode ? null
                        : $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(token)}";
                },
                bound ?? DefaultHealthBound,
                $"{Name} is healthy at {url}",
                cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(WithOutput(e.Message), e);
        }
    }

    /// <summary>Until the output contains a text.</summary>
    public async Task WaitForOutputAsync(string text, TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        try
        {
            await Poll.UntilAsync(
                _ =>
                {
                    var exited = HasExited;
                    return Output.Contains(text, StringComparison.Ordinal) ? Task.FromResult<string?>(null)
                        : exited
                        ? throw new StopWaitingException(WithOutput($"{Name} ended with exit code {ExitCode} and did not print '{text}'."))
                        : Task.FromResult<string?>("other output");
                },
                bound ?? DefaultHealthBound,
                $"{Name} prints '{text}'",
                cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(WithOutput(e.Message), e);
        }
    }

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public void Kill() => _child.Kill();

    /// <summary>SIGSTOP.</summary>
    public void Freeze() => _child.Freeze();

    /// <summary>SIGCONT.</summary>
    public void Thaw() => _child.Thaw();

    /// <summary>SIGTERM, and an error with the last output when that does not end the service in time; it is killed then.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        var limit = bound ?? DefaultStopBound;
        return await _child.StopAsync(limit, cancellationToken: cancellationToken)
            ? _child.ExitCode!.Value
            : throw new TimeoutException(WithOutput($"{Name} did not end within {limit.TotalSeconds} s of SIGTERM and was killed."));
    }

    /// <summary>Until the process ends by itself.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> WaitForExitAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        var limit = bound ?? DefaultStopBound;
        try
        {
            await _child.WaitForExitAsync(limit, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(WithOutput($"{Name} did not end within {limit.TotalSeconds} s."), e);
        }

        return _child.ExitCode!.Value;
    }

    /// <summary>Kills the service if it still runs: a test that cares how it ends calls <see cref="StopAsync"/>.</summary>
    public ValueTask DisposeAsync()
    {
        _child.Dispose();
        if (_deleteLog)
        {
            File.Delete(LogFile);
        }

        return ValueTask.CompletedTask;
    }

    private string WithOutput(string message) => $"{message}\nLast output:\n{_child.LogTail()}";
}
