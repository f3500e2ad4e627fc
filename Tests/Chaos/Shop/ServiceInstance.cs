using System.Globalization;
using AspireRedis.Testing;
using AspireRedis.Testing.Network;

namespace AspireRedis.Chaos.Shop;

/// <summary>One instance of a service, over the lives of its processes.</summary>
/// <param name="name">As in <c>orders-1</c>.</param>
/// <param name="project">Its project.</param>
/// <param name="port">Where it listens.</param>
/// <param name="logFile">What it prints, over all lives.</param>
/// <param name="host">At which address.</param>
internal sealed class ServiceInstance(string name, string project, int port, string logFile, string host = SimulatedNetwork.Actual)
    : IAsyncDisposable
{
    private static readonly HttpClient s_probe = new() { Timeout = TimeSpan.FromSeconds(5) };

    private ServiceProcess? _process;
    private bool _killed;

    public string Name => name;

    public int Port => port;

    public string LogFile => logFile;

    public int? ProcessId => _process is { HasExited: false } process ? process.ProcessId : null;

    /// <summary>Set once a process ended that nobody had killed.</summary>
    public string? Crash { get; private set; }

    /// <summary>Where the others reach it.</summary>
    public Uri Address { get; } = new(string.Create(CultureInfo.InvariantCulture, $"http://{SimulatedNetwork.Announced}:{port}"));

    /// <summary>Starts it unless it runs.</summary>
    /// <param name="common">What all services are told.</param>
    public async Task StartAsync(IReadOnlyDictionary<string, string?> common)
    {
        if (_process is { HasExited: false })
        {
            return;
        }
        if (_process is not null)
        {
            if (!_killed)
            {
                Crash ??= $"{name} ended by itself with exit code {_process.ExitCode}; see {logFile}";
            }
            await _process.DisposeAsync();
        }
        _killed = false;
        var environment = ShopServices.OfInstance(common, project,
            string.Create(CultureInfo.InvariantCulture, $"http://{host}:{port}"));
        _process = ServiceProcess.StartDotNet(BuiltProject.Path(project), environment, logFile: logFile);
    }

    public void Kill()
    {
        _killed = true;
        _process?.Kill();
    }

    public void Freeze() => _process?.Freeze();

    public void Thaw() => _process?.Thaw();

    /// <returns>Null when it is healthy, else what it says.</returns>
    public async Task<string?> MissingAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await s_probe.GetAsync(
                new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{port}/health")), cancellationToken);
            return response.IsSuccessStatusCode ? null
                : $"{name} answers {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(cancellationToken)}";
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is HttpRequestException or OperationCanceledException)
        {
            return $"{name} does not answer: {e.Message}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
    }
}
