using AspireRedis.Hosting.Processes;
using AspireRedis.Topology;

namespace AspireRedis.LocalServers;

/// <summary>
/// One node of a topology as a local process, in its own directory. It does not outlive this process. Unix only.
/// Members are safe for concurrent use; starting, stopping and restarting wait for one another.
/// </summary>
public sealed class RedisProcess : IAsyncDisposable
{
    /// <summary>
    /// How long a node may take to answer after its start when nothing else is said: 60 s, for a slow machine or a
    /// large data set.
    /// </summary>
    public static readonly TimeSpan DefaultStartBound = TimeSpan.FromSeconds(60);

    /// <summary>How long a node may take to end after SIGTERM when nothing else is said: 30 s.</summary>
    public static readonly TimeSpan DefaultStopBound = TimeSpan.FromSeconds(30);

    // A server that is writing its first append-only file, as a replica does after its first sync, refuses SIGTERM for good.
    private static readonly TimeSpan s_refusedStop = TimeSpan.FromMilliseconds(500);

    private readonly Action _writeConfiguration;
    private readonly RedisLogin? _login;
    private readonly string _root;
    private readonly RedisServerBinary _binary;
    private readonly SemaphoreSlim _transition = new(1);
    private volatile ChildProcess? _child;

    private RedisProcess(RedisNode node, string root, RedisLogin? login, Action writeConfiguration, RedisServerBinary binary)
    {
        _writeConfiguration = writeConfiguration;
        _login = login;
        _root = root;
        _binary = binary;
        Node = node;
    }

    /// <summary>The node that this process is.</summary>
    public RedisNode Node { get; }

    /// <summary>The node's own directory: configuration, data, log.</summary>
    public string Directory => RedisTopology.DirectoryOf(Node, _root);

    /// <summary>What the node prints, appended over restarts: <c>redis.log</c> in <see cref="Directory"/>.</summary>
    public string LogFile => Path.Combine(Directory, "redis.log");

    /// <summary>The id of the latest <c>redis-server</c> process, whether it still runs or not.</summary>
    public int ProcessId => _child?.Id ?? throw new InvalidOperationException($"{Node} was never started.");

    /// <summary>Whether the process exists, be it frozen.</summary>
    public bool IsRunning => _child is { HasExited: false };

    /// <summary>The exit code of the latest process, 128 plus the signal's number when a signal ended it; null while it runs.</summary>
    public int? ExitCode => _child?.ExitCode;

    /// <summary>Writes the node's configuration if it does not exist, starts the node and waits until it answers PING.</summary>
    /// <param name="topology">The topology.</param>
    /// <param name="node">One of its nodes.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <param name="binary">The executable; null to look for it.</param>
    /// <param name="bound">How long it may take to answer; default <see cref="DefaultStartBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait; the process is then killed.</param>
    /// <returns>The running node.</returns>
    /// <exception cref="InvalidOperationException">
    /// There is no executable, the configuration is for another port, or the node ended at once; the message has the
    /// end of its log.
    /// </exception>
    /// <exception cref="TimeoutException">It did not answer in time; the message has the end of its log.</exception>
    internal static Task<RedisProcess> StartAsync(
        RedisTopology topology,
        RedisNode node,
        string root,
        RedisServerBinary? binary = null,
        TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topology);
        return StartAsync(node, root, topology.Options.Login, () => topology.WriteConfiguration(node, root), binary, bound,
            cancellationToken);
    }

    /// <summary>The same for a node of a cluster.</summary>
    /// <inheritdoc cref="StartAsync(RedisTopology, RedisNode, string, RedisServerBinary?, TimeSpan?, CancellationToken)"/>
    internal static Task<RedisProcess> StartAsync(
        RedisClusterTopology cluster,
        RedisNode node,
        string root,
        RedisServerBinary? binary = null,
        TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return StartAsync(node, root, cluster.Options.Login, () => cluster.WriteConfiguration(node, root), binary, bound,
            cancellationToken);
    }

    private static async Task<RedisProcess> StartAsync(RedisNode node, string root, RedisLogin? login, Action writeConfiguration,
        RedisServerBinary? binary, TimeSpan? bound, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        var process = new RedisProcess(node, root, login, writeConfiguration, binary ?? RedisServerBinary.Find());
        try
        {
            await process.StartAsync(bound, cancellationToken);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Starts the node after it ended, with the role it had last, and waits until it answers PING. Does nothing while
    /// it runs.
    /// </summary>
    /// <param name="bound">How long it may take to answer; default <see cref="DefaultStartBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait; the process is then killed.</param>
    /// <returns>A task that ends when the node answers.</returns>
    /// <exception cref="InvalidOperationException">The node ended at once; the message has the end of its log.</exception>
    /// <exception cref="TimeoutException">It did not answer in time; the message has the end of its log.</exception>
    public async Task StartAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        await _transition.WaitAsync(cancellationToken);
        try
        {
            await StartLockedAsync(bound ?? DefaultStartBound, cancellationToken);
        }
        finally
        {
            _transition.Release();
        }
    }

    /// <summary>
    /// SIGTERM, upon which a server writes what it should keep to disk; SIGKILL when that takes too long. Thaws a
    /// frozen node. Does nothing when it has ended.
    /// </summary>
    /// <param name="bound">How long to wait before SIGKILL; default <see cref="DefaultStopBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait, without SIGKILL.</param>
    /// <returns>A task that ends when the process is gone.</returns>
    public async Task StopAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        await _transition.WaitAsync(cancellationToken);
        try
        {
            if (_child is { } child)
            {
                await child.StopAsync(bound ?? DefaultStopBound, s_refusedStop, cancellationToken);
            }
        }
        finally
        {
            _transition.Release();
        }
    }

    /// <summary>Stops the node as <see cref="StopAsync"/> does, if it runs, and starts it again.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when the node answers.</returns>
    /// <exception cref="InvalidOperationException">The node ended at once; the message has the end of its log.</exception>
    /// <exception cref="TimeoutException">It did not answer in time; the message has the end of its log.</exception>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(null, cancellationToken);
        await StartAsync(null, cancellationToken);
    }

    /// <summary>SIGKILL. Returns when the process is gone; does nothing when it is gone already.</summary>
    public void Kill() => _child?.Kill();

    /// <summary>SIGSTOP: the node keeps its sockets and answers nothing.</summary>
    public void Freeze() => _child?.Freeze();

    /// <summary>SIGCONT: a frozen node goes on where it was.</summary>
    public void Thaw() => _child?.Thaw();

    /// <summary>The end of the log.</summary>
    /// <param name="maximum">How many bytes at most; default 4096.</param>
    /// <returns>The text, empty when there is none.</returns>
    public string LogTail(int maximum = 4096) => ChildProcess.ReadTail(LogFile, maximum);

    /// <summary>Stops the node. Its directory stays.</summary>
    /// <returns>A task that ends when the process is gone.</returns>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _child?.Dispose();
    }

    internal Task<object?> ExecuteAsync(CancellationToken cancellationToken, params string[] command) =>
        RespConnection.OnceAsync(Node.Address, _login, cancellationToken, command);

    private async Task StartLockedAsync(TimeSpan bound, CancellationToken cancellationToken)
    {
        if (IsRunning)
        {
            return;
        }

        _writeConfiguration();
        var child = ChildProcess.Start(_binary.Path, RedisTopology.Arguments(Node, _root), LogFile, Directory);
        var previous = _child;
        _child = child;
        previous?.Dispose();
        try
        {
            await Poll.UntilAsync(PingAsync, bound, $"{Node} answers PING", cancellationToken);
        }
        catch (Exception e)
        {
            child.Kill();
            if (e is TimeoutException)
            {
                throw new TimeoutException($"{e.Message}\nEnd of {LogFile}:\n{LogTail()}", e);
            }

            throw;
        }

        async Task<string?> PingAsync(CancellationToken token)
        {
            if (child.HasExited)
            {
                throw new StopWaitingException($"{Node} ended at once with exit code {child.ExitCode}. End of {LogFile}:\n{LogTail()}");
            }

            var reply = await ExecuteAsync(token, "PING");
            // Another program may hold the port: the node itself then ends with "Address already in use" a moment later.
            var info = await ExecuteAsync(token, "INFO", "server");
            return reply is "PONG" && info is string text && text.Contains($"process_id:{child.Id}\r\n", StringComparison.Ordinal)
                ? null
                : $"something else answers at {Node.Address}";
        }
    }
}
