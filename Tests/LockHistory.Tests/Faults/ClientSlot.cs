using AspireRedis.Puppet.Contending;
using AspireRedis.Testing;

namespace AspireRedis.LockHistory.Faults;

/// <summary>The place of a client process: when one dies another takes over, with a new name.</summary>
internal sealed class ClientSlot(int number, Func<string, int, ClientOptions> options, string directory) : IAsyncDisposable
{
    private static readonly TimeSpan s_startBound = TimeSpan.FromSeconds(60);

    private int _generation;
    private volatile ServiceProcess? _process;

    /// <summary>The name of the present process in the history.</summary>
    public string Name => $"c{number}.{_generation}";

    public ServiceProcess Process => _process ?? throw new InvalidOperationException("It was not started.");

    public async Task StartAsync(LiveHistory history, CancellationToken cancellationToken)
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
        _generation++;
        _process = PuppetProcess.Start("contend", [options(Name, number).ToJson()], Path.Combine(directory, $"{Name}.log"));
        await Eventually.TrueAsync(
            () => _process.HasExited ? throw new InvalidOperationException(_process.Output) : history.HasStarted(Name),
            $"client {Name} has started", s_startBound, cancellationToken);
    }

    /// <summary>Freezes the process, and returns when none of its threads runs any more.</summary>
    public async Task FreezeAsync(CancellationToken cancellationToken)
    {
        Process.Freeze();
        await Eventually.TrueAsync(
            () => Process.HasExited || Directory.EnumerateDirectories($"/proc/{Process.ProcessId}/task").All(IsStopped),
            $"client {Name} is frozen", cancellationToken: cancellationToken);
    }

    public ValueTask DisposeAsync() => _process?.DisposeAsync() ?? ValueTask.CompletedTask;

    // "pid (name) state ...", where the name may hold anything.
    private static bool IsStopped(string task)
    {
        var stat = File.ReadAllText(Path.Combine(task, "stat"));
        return stat[stat.LastIndexOf(')') + 2] is 'T' or 'Z';
    }
}
