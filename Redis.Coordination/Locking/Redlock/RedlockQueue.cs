using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>
/// The callers of this process that wait for one lease. One at a time contends at the nodes, in the order in which they came,
/// and hears from them when the lease is released: fewer contenders are fewer split votes.
/// </summary>
internal sealed class RedlockQueue : IDisposable
{
    private readonly IReadOnlyList<RedlockNode> _nodes;
    private readonly ILogger _logger;
    private readonly RedisChannel _channel;
    private readonly List<(ISubscriber Subscriber, Action<RedisChannel, RedisValue> Handler)> _subscriptions = [];
    private readonly Lock _gate = new();
    private readonly bool[] _released;
    private TaskCompletionSource _wake = NewSignal();
    private int _releases;
    private int _awaited;

    public RedlockQueue(string resource, IReadOnlyList<RedlockNode> nodes, ILogger logger, Task retired)
    {
        Resource = resource;
        _nodes = nodes;
        _logger = logger;
        _channel = Channel(resource);
        _released = new bool[nodes.Count];
        Subscribed = SubscribeAsync(retired);
    }

    public string Resource { get; }

    /// <summary>Whose turn it is to contend.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>How many callers use it; guarded by <see cref="RedlockQueues"/>.</summary>
    public int Callers { get; set; }

    /// <summary>Until every node that can be reached says who releases the lease. It does not fail.</summary>
    public Task Subscribed { get; }

    /// <summary>On which a node tells of a release.</summary>
    public static RedisChannel Channel(string resource) => RedisChannel.Literal($"redlock-free:{resource}");

    /// <summary>Call before each attempt: releases from then on are not lost.</summary>
    public void BeginAttempt()
    {
        lock (_gate)
        {
            Array.Clear(_released);
            _releases = 0;
            _awaited = int.MaxValue;
            if (_wake.Task.IsCompleted)
            {
                _wake = NewSignal();
            }
        }
    }

    /// <summary>Until so many nodes have told of a release since the attempt began, or the time is over.</summary>
    public async Task WaitAsync(int releases, TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        Task wake;
        lock (_gate)
        {
            _awaited = releases;
            if (_releases >= releases)
            {
                return;
            }
            wake = _wake.Task;
        }
        await wake.CompletesWithinAsync(atMost, clock, cancellationToken);
    }

    public async Task UnsubscribeAsync()
    {
        await Subscribed;
        foreach (var (subscriber, handler) in _subscriptions)
        {
            try
            {
                await subscriber.UnsubscribeAsync(_channel, handler);
            }
            catch (Exception e)
            {
                _logger.LogDebug(e, "A node keeps a subscription to {Channel} until its connection ends.", _channel);
            }
        }
    }

    public void Dispose() => Turn.Dispose();

    private async Task SubscribeAsync(Task retired)
    {
        // The end of an earlier subscription to the same channel must not end this one.
        await retired;
        var subscribing = new List<Task>();
        for (var i = 0; i < _nodes.Count; i++)
        {
            if (_nodes[i].Connection is { } connection)
            {
                var node = i;
                void Handler(RedisChannel channel, RedisValue message) => OnReleased(node);
                var subscriber = connection.GetSubscriber();
                _subscriptions.Add((subscriber, Handler));
                subscribing.Add(subscriber.SubscribeAsync(_channel, Handler));
            }
        }
        try
        {
            await Task.WhenAll(subscribing);
        }
        catch (Exception e)
        {
            // The client subscribes when it is connected again; until then this node's releases are found when the TTL is over.
            _logger.LogDebug(e, "Not every node tells of releases of {Resource}.", Resource);
        }
    }

    private void OnReleased(int node)
    {
        lock (_gate)
        {
            if (!_released[node])
            {
                _released[node] = true;
                if (++_releases >= _awaited)
                {
                    _wake.TrySetResult();
                }
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
