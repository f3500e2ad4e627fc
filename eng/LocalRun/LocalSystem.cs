using System.Globalization;
using AspireRedis.Topology;

namespace AspireRedis.LocalRun;

/// <summary>Redis, the dashboard and the three services as child processes, none of which outlives this one.</summary>
internal sealed class LocalSystem(string repository, string runDirectory) : IAsyncDisposable
{
    private static readonly TimeSpan s_startBound = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan s_stopBound = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly List<(string Name, ChildProcess Process)> _children = [];
    private LocalRedis? _redis;

    private string EndpointsPath => Path.Combine(runDirectory, "endpoints.env");

    private string MailDirectory => Path.Combine(runDirectory, "mail");

    private string LogDirectory => Path.Combine(runDirectory, "logs");

    public async Task StartAsync(string? dashboardCommand, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(LogDirectory);
        Directory.CreateDirectory(MailDirectory);
        foreach (var left in Directory.EnumerateDirectories(runDirectory, "redis-*"))
        {
            // Of a run that was killed; ./run sees to it that there is one at a time.
            Directory.Delete(left, recursive: true);
        }
        Progress("Redis: a primary, two replicas, three Sentinels");
        _redis = await LocalRedis.StartAsync(
            RedisTopology.Create(), Path.Combine(runDirectory, $"redis-{Environment.ProcessId}"), deleteDirectory: true, cancellationToken: cancellationToken);

        var (dashboard, otlp) = await StartDashboardAsync(dashboardCommand, cancellationToken);

        // The ports of the AppHost's launch profiles where they are free.
        var (orders, inventory, notifications) = (Url(5201), Url(5202), Url(5203));
        var environment = ShopServices.Environment(_redis.Topology.ConnectionString, [orders], [inventory], MailDirectory, otlp);
        await Task.WhenAll(
            StartServiceAsync(ShopServices.InventoryApi, inventory, environment, cancellationToken),
            StartServiceAsync(ShopServices.OrdersApi, orders, environment, cancellationToken),
            StartServiceAsync(ShopServices.NotificationsWorker, notifications, environment, cancellationToken));

        EndpointsFile.Write(EndpointsPath,
        [
            ("ORDERS_URL", orders),
            ("INVENTORY_URL", inventory),
            ("DASHBOARD_URL", dashboard ?? ""),
            ("MAIL_DIR", MailDirectory),
            ("SENTINELS", string.Join(',', _redis.Topology.Sentinels.Select(n => n.Address))),
            ("REDIS_SERVICE", _redis.Topology.Options.ServiceName),
            ("LOCK_NODES", string.Join(',', _redis.Topology.LockNodes.Select(n => n.Address))),
        ]);
    }

    /// <summary>Until it is asked to stop; a service that dies by itself ends the run with its last words.</summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            foreach (var (name, process) in _children)
            {
                if (process.HasExited)
                {
                    throw new InvalidOperationException($"{name} ended with exit code {process.ExitCode}:\n{process.LogTail()}");
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(EndpointsPath);
        // The dashboard last, so that it gets what the others say as they go; Redis after those who use it.
        foreach (var group in _children.GroupBy(c => c.Name == "dashboard").OrderBy(g => g.Key))
        {
            await Task.WhenAll(group.Select(c => c.Process.StopAsync(s_stopBound)));
        }
        foreach (var (_, process) in _children)
        {
            process.Dispose();
        }
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }
        _http.Dispose();
    }

    private async Task<(string? Dashboard, string? Otlp)> StartDashboardAsync(string? command, CancellationToken cancellationToken)
    {
        if (command is null)
        {
            return (null, null);
        }
        Progress("Aspire dashboard");
        var (url, otlp) = (Url(15200), Url(19200));
        var process = Start("dashboard", command,
            ["dashboard", "run", "--allow-anonymous", "--non-interactive", "--nologo", "--frontend-url", url, "--otlp-grpc-url", otlp, "--otlp-http-url", Url(19201)], []);
        await UntilHealthyAsync("the dashboard", process, url, cancellationToken);
        return (url, otlp);
    }

    private async Task StartServiceAsync(string project, string url, Dictionary<string, string?> common, CancellationToken cancellationToken)
    {
        Progress(project);
        // Beside this program, in the same configuration.
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        var dll = Path.Combine(repository, project, "bin", configuration, "net10.0", project + ".dll");
        var process = Start(project, Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", [dll],
            ShopServices.OfInstance(common, project, url), Path.GetDirectoryName(dll));
        await UntilHealthyAsync(project, process, url + "/health", cancellationToken);
    }

    private ChildProcess Start(string name, string command, string[] arguments, Dictionary<string, string?> environment, string? workingDirectory = null)
    {
        var process = ChildProcess.Start(command, arguments, Path.Combine(LogDirectory, name + ".log"), workingDirectory, environment);
        lock (_children)
        {
            _children.Add((name, process));
        }
        return process;
    }

    private Task UntilHealthyAsync(string name, ChildProcess process, string url, CancellationToken cancellationToken)
        => Poll.UntilAsync(
            async token =>
            {
                if (process.HasExited)
                {
                    throw new StopWaitingException($"{name} ended with exit code {process.ExitCode}:\n{process.LogTail()}");
                }
                using var response = await _http.GetAsync(new Uri(url), token);
                return response.IsSuccessStatusCode ? null : string.Create(CultureInfo.InvariantCulture, $"status {(int)response.StatusCode}");
            },
            s_startBound, $"{name} is healthy at {url}", cancellationToken);

    private static string Url(int preferredPort)
        => string.Create(CultureInfo.InvariantCulture, $"http://localhost:{PortAllocator.Next(preferredPort)}");

    private static void Progress(string what) => Console.WriteLine($"  starting {what}");
}
