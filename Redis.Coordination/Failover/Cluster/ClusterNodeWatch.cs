using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Regions.Nodes;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// Asks one node what it knows of the cluster, again and again, on a connection of its own: one that is frozen or dead holds up nobody
/// but itself.
/// </summary>
internal sealed class ClusterNodeWatch : IAsyncDisposable
{
    // Beyond it a node counts as silent; on a busy machine an answer may take a while.
    private static readonly TimeSpan s_bound = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_alive = TimeSpan.FromSeconds(1);

    private readonly ClusterFollower _cluster;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConfigurationOptions _options;
    private readonly Task _watching;
    private volatile NodeLink? _link;
    private volatile bool _isAnswering;
    private long _answeredAt;
    private string? _told;

    public ClusterNodeWatch(ClusterFollower cluster, EndPoint node, ConfigurationOptions options)
    {
        _cluster = cluster;
        _options = options;
        Node = node;
        _watching = Task.Run(WatchAsync);
    }

    public EndPoint Node { get; }

    /// <summary>It has answered just now and was not lost since.</summary>
    public bool IsAlive => _isAnswering && Stopwatch.GetElapsedTime(Volatile.Read(ref _answeredAt)) < s_alive;

    /// <summary>Whether it was not told yet that the node refuses so: each question is refused again.</summary>
    public bool IsNews(string refusal) => Interlocked.Exchange(ref _told, refusal) != refusal;

    /// <summary>A command at this node, between two questions.</summary>
    public async Task<object?> ExecuteAsync(CancellationToken cancellationToken, params object[] command)
        => await (_link ?? throw new IOException($"{EndPointCollection.ToString(Node)} was not reached yet."))
            .ExecuteAsync(cancellationToken, command);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_link is { } link)
        {
            await link.DisposeAsync();
        }
        _stopping.Dispose();
    }

    private async Task WatchAsync()
    {
        var stopping = _stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            var hurried = _cluster.Hurried;
            try
            {
                var link = _link ??= new NodeLink(Node, await PrimaryTunnel.ResolveAsync(Node, _options.Tunnel, stopping) ?? Node,
                    _options, s_bound);
                var text = (string)(await link.ExecuteAsync(stopping, "CLUSTER", "NODES"))!;
                var view = ClusterView.Parse(text, Node);
                Volatile.Write(ref _answeredAt, Stopwatch.GetTimestamp());
                (_isAnswering, _told) = (true, null);
                _cluster.Heard(this, view);
            }
            catch (Exception) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                var wasAnswering = _isAnswering;
                _isAnswering = false;
                _cluster.Lost(this, e, wasAnswering);
            }
            await Task.WhenAny(hurried, Task.Delay(_cluster.Interval, stopping));
        }
    }
}
