using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using AspireRedis.Coordination.Regions;
using StackExchange.Redis;

namespace AspireRedis.Regions.Cli;

/// <summary>
/// A process of <c>redis-server</c> on this machine that loads the file of a backup and is reached by a socket in the file system only. It
/// writes nothing to the disk, and ends with its connection.
/// </summary>
internal sealed class SnapshotServer : IAsyncDisposable
{
    // 100,000 orders take some seconds.
    private static readonly TimeSpan s_loading = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly DirectoryInfo _directory;
    private readonly Lock _lock = new();
    private string _said = "";
    private ConnectionMultiplexer? _connection;

    private SnapshotServer(Process process, DirectoryInfo directory)
    {
        _process = process;
        _directory = directory;
        process.OutputDataReceived += (_, line) => Said(line.Data);
        process.ErrorDataReceived += (_, line) => Said(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        void Said(string? line)
        {
            lock (_lock)
            {
                _said = string.IsNullOrWhiteSpace(line) ? _said : line.Trim();
            }
        }
    }

    public ConnectionMultiplexer Connection => _connection ?? throw new InvalidOperationException("It has not loaded the file yet.");

    /// <exception cref="RegionException">There is no <c>redis-server</c> here, or it cannot read the file.</exception>
    public static async Task<SnapshotServer> StartAsync(string file, TextWriter progress, CancellationToken cancellationToken)
    {
        var name = Environment.GetEnvironmentVariable("REDIS_SERVER") is { Length: > 0 } named ? named : "redis-server";
        var path = Path.GetFullPath(file);
        // Of the length that a socket's path may have.
        var directory = Directory.CreateTempSubdirectory("redis-");
        var socket = Path.Combine(directory.FullName, "socket");
        var start = new ProcessStartInfo(name)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            ArgumentList =
            {
                "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", Path.GetDirectoryName(path)!, "--dbfilename",
                Path.GetFileName(path), "--save", "", "--appendonly", "no", "--daemonize", "no",
            },
        };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            directory.Delete(recursive: true);
            throw new RegionException(
                $"A backup is read by redis-server, and '{name}' cannot be run on this machine: {e.Message}. REDIS_SERVER names another.", false, e);
        }
        var server = new SnapshotServer(process, directory);
        try
        {
            await progress.WriteLineAsync($"{name} loads {path}.");
            await server.LoadedAsync(socket, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }
        if (!_process.HasExited)
        {
            _process.Kill();
            using var bound = new CancellationTokenSource(s_end);
            await _process.WaitForExitAsync(bound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        _process.Dispose();
        _directory.Delete(recursive: true);
    }

    private async Task LoadedAsync(string socket, CancellationToken cancellationToken)
    {
        var options = new ConfigurationOptions
        {
            EndPoints = { new UnixDomainSocketEndPoint(socket) }, AbortOnConnectFail = true, ConnectTimeout = 2000, ConnectRetry = 1,
            AsyncTimeout = 60_000, AllowAdmin = true, ClientName = "region-restore",
        };
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            if (_process.HasExited)
            {
                throw new RegionException($"redis-server cannot read the backup: {LastSaid()}");
            }
            try
            {
                _connection ??= await ConnectionMultiplexer.ConnectAsync(options);
                // An error while it loads.
                await _connection.GetDatabase().ExecuteAsync("DBSIZE");
                return;
            }
            catch (RedisException) when (Stopwatch.GetElapsedTime(began) < s_loading)
            {
                await Task.Delay(s_look, cancellationToken);
            }
            catch (RedisException e)
            {
                throw new RegionException($"redis-server has not loaded the backup for {s_loading.TotalMinutes:0} minutes: {LastSaid()}", false, e);
            }
        }
    }

    private string LastSaid()
    {
        lock (_lock)
        {
            return _said;
        }
    }
}
