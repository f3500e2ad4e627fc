using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// Knows the shards of a Redis Cluster, which of their nodes are primaries, and which slots each has, from whichever node says it first.
/// </summary>
/// <remarks>
/// It asks every node (<c>CLUSTER NODES</c>) on a connection of its own and never waits for all: four times a second, and forty times for
/// some seconds after a node was lost, or has answered that another one has a slot. <c>CLUSTER SHARDS</c> and <c>SLOTS</c> would not do,
/// for they do not tell the configuration epoch, by which of two that claim a slot the right one is known (<see cref="SlotClaims"/>).
/// A replica that has the slots of its primary is the next primary of the same shard; its connections are then led there as in a
/// Sentinel deployment (<see cref="HandOver"/>). A node that has slots and was no replica before is a shard of its own.
/// Safe for concurrent use.
/// </remarks>
internal sealed class ClusterFollower : IAsyncDisposable
{
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_hurry = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan s_hurrying = TimeSpan.FromSeconds(5);
    // Refusals come in crowds, and each is answered by a question to every node.
    private static readonly TimeSpan s_betweenHurries = TimeSpan.FromMilliseconds(10);
    // The first to answer may be one that was cut off.
    private static readonly TimeSpan s_others = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_forgotten = TimeSpan.FromSeconds(10);

    private readonly ConfigurationOptions _options;
    private readonly ILogger<ClusterFollower> _logger;
    private readonly ForcedFailover? _forced;
    private readonly HashSet<EndPoint> _seeds;
    private readonly Lock _lock = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly Dictionary<EndPoint, ClusterNodeWatch> _watches = [];
    private readonly Dictionary<EndPoint, long> _namedAt = [];
    private readonly Dictionary<string, EndPoint> _addresses = new(StringComparer.Ordinal);
    // By the ids of replicas: whom they follow, and whether that is still so.
    private readonly Dictionary<string, (string PrimaryId, bool IsFailed)> _following = new(StringComparer.Ordinal);
    private readonly HashSet<string> _speakers = new(StringComparer.Ordinal);
    private readonly SlotClaims _claims = new();
    // By the ids of all nodes, primaries and replicas.
    private readonly Dictionary<string, ClusterShard> _shardOfNode = new(StringComparer.Ordinal);
    private readonly List<ClusterShard> _found = [];
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ClusterShard?[] _shardOfSlot = new ClusterShard?[KeySlot.Count];
    private IReadOnlyList<ClusterShard> _shards = [];
    private TaskCompletionSource _hurried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _redivided = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _hurriedAt;
    private bool _isDue = true;
    private bool _isStopped;
    private volatile string? _refusal;

    /// <summary>Begins to ask.</summary>
    /// <param name="options">Some of the nodes, and credentials.</param>
    /// <param name="logger">Hears of what is found and of failovers.</param>
    /// <param name="forcesFailover">See <see cref="ForcedFailover"/>.</param>
    public ClusterFollower(ConfigurationOptions options, ILogger<ClusterFollower> logger, bool forcesFailover)
    {
        _options = options;
        _logger = logger;
        _forced = forcesFailover ? new ForcedFailover(this, logger) : null;
        _seeds = [.. options.EndPoints];
        lock (_lock)
        {
            foreach (var seed in _seeds)
            {
                _watches.Add(seed, new ClusterNodeWatch(this, seed, options));
            }
        }
    }

    /// <summary>Ends when the slots are known, and each shard that has some has a connection.</summary>
    public Task Known => _known.Task;

    /// <summary>The shards that have slots, in the order in which they were found.</summary>
    public IReadOnlyList<ClusterShard> Shards => Volatile.Read(ref _shards);

    /// <summary>Ends when another shard has some slot.</summary>
    public Task Redivided => Volatile.Read(ref _redivided).Task;

    /// <summary>What the nodes say of replicas.</summary>
    public ClusterReplicas Replicas { get; } = new();

    /// <summary>Why the last node that was asked would not say what it knows, while no slot is known; else null.</summary>
    public string? Refusal => _known.Task.IsCompleted ? null : _refusal;

    /// <summary>Ends when all nodes are to be asked at once.</summary>
    internal Task Hurried
    {
        get
        {
            lock (_lock)
            {
                return _hurried.Task;
            }
        }
    }

    /// <summary>How long to wait before a node is asked again.</summary>
    internal TimeSpan Interval
        => Volatile.Read(ref _hurriedAt) is > 0 and var at && Stopwatch.GetElapsedTime(at) < s_hurrying ? s_hurry : s_idle;

    /// <summary>The shard that has a slot; null while none is known.</summary>
    public ClusterShard? ShardOf(int slot) => Volatile.Read(ref _shardOfSlot)[slot];

    /// <summary>Asks all nodes at once, and more often for some seconds.</summary>
    public void Refresh()
    {
        TaskCompletionSource hurried;
        lock (_lock)
        {
            if (_hurriedAt > 0 && Stopwatch.GetElapsedTime(_hurriedAt) < s_betweenHurries)
            {
                return;
            }
            Volatile.Write(ref _hurriedAt, Stopwatch.GetTimestamp());
            hurried = _hurried;
            _hurried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        hurried.TrySetResult();
    }

    /// <summary>The slots of a shard, as Redis writes them.</summary>
    internal string DescribeSlotsOf(ClusterShard shard)
    {
        var shardOfSlot = Volatile.Read(ref _shardOfSlot);
        var ranges = new List<string>();
        for (var slot = 0; slot < KeySlot.Count; slot++)
        {
            if (shardOfSlot[slot] != shard)
            {
                continue;
            }
            var first = slot;
            while (slot + 1 < KeySlot.Count && shardOfSlot[slot + 1] == shard)
            {
                slot++;
            }
            ranges.Add(first == slot ? $"{slot}" : $"{first}-{slot}");
        }
        return string.Join(',', ranges);
    }

    /// <summary>A section of <c>INFO</c> of a node.</summary>
    /// <exception cref="RedisUnavailableException">It does not answer.</exception>
    internal async Task<string> InfoAsync(EndPoint node, string section, CancellationToken cancellationToken)
    {
        ClusterNodeWatch? watch;
        lock (_lock)
        {
            watch = _watches.GetValueOrDefault(node);
        }
        try
        {
            return (string)(await (watch ?? throw new IOException($"{EndPointCollection.ToString(node)} is not known."))
                .ExecuteAsync(cancellationToken, "INFO", section))!;
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            throw new RedisUnavailableException(e);
        }
    }

    /// <summary>The replicas of a primary that the node which spoke last does not hold for dead.</summary>
    internal IReadOnlyList<ClusterNodeWatch> LivingReplicasOf(string primaryId)
    {
        lock (_lock)
        {
            return [.. _following.Where(f => f.Value == (primaryId, false)).Select(f => _addresses.GetValueOrDefault(f.Key))
                .OfType<EndPoint>().Select(_watches.GetValueOrDefault).OfType<ClusterNodeWatch>()];
        }
    }

    /// <summary>A node has spoken.</summary>
    internal void Heard(ClusterNodeWatch watch, ClusterView view)
    {
        Replicas.Hear(view);
        List<ClusterNodeWatch> gone;
        lock (_lock)
        {
            if (_isStopped)
            {
                return;
            }
            _refusal = null;
            _speakers.Add(view.Speaker);
            _isDue |= _claims.Hear(view);
            Learn(watch, view);
            gone = Forget();
            var isBelieved = _known.Task.IsCompleted || _shards.Count > 0 || _speakers.Count > view.Nodes.Count / 2
                || Stopwatch.GetElapsedTime(_began) > s_others;
            if (_isDue && isBelieved)
            {
                Divide();
                _isDue = false;
            }
        }
        gone.ForEach(w => _ = w.DisposeAsync().AsTask());
    }

    /// <summary>A node does not answer, or refuses to.</summary>
    internal void Lost(ClusterNodeWatch watch, Exception failure, bool wasAnswering)
    {
        // LOADING and BUSY pass by themselves.
        if (failure is FormatException || (failure is RedisServerException && RedisFailure.Of(failure) == RedisFailureKind.Final))
        {
            var text = $"{EndPointCollection.ToString(watch.Node)} answers '{failure.Message}'";
            if (watch.IsNews(text))
            {
                _logger.LogError(
                    "The cluster cannot be followed: {Refusal}. The user needs CLUSTER NODES and INFO, see docs/cluster.md.", text);
            }
            _refusal = text;
            return;
        }
        if (wasAnswering)
        {
            _logger.LogDebug(failure, "{Node} of the cluster does not answer.", EndPointCollection.ToString(watch.Node));
            Refresh();
        }
        if (_forced is not null && ForcedFailover.IsRefused(failure)
            && Shards.FirstOrDefault(s => watch.Node.Equals(s.Route.Primary)) is { } shard)
        {
            _forced.Begin(shard, watch.Node);
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<ClusterNodeWatch> watches;
        lock (_lock)
        {
            if (_isStopped)
            {
                return;
            }
            _isStopped = true;
            watches = [.. _watches.Values];
        }
        await Task.WhenAll(watches.Select(w => w.DisposeAsync().AsTask()));
        await Task.WhenAll(_found.Select(s => s.DisposeAsync().AsTask()));
    }

    /// <summary>Where the nodes are, and which belong together.</summary>
    private void Learn(ClusterNodeWatch watch, ClusterView view)
    {
        var now = Stopwatch.GetTimestamp();
        foreach (var node in view.Nodes.Where(n => !n.IsUnknown))
        {
            // A node knows itself best; an address that somebody remembers may be an old one.
            if (node.IsSelf || !_addresses.ContainsKey(node.Id))
            {
                _isDue |= _addresses.TryGetValue(node.Id, out var before) && !before.Equals(node.Address);
                _addresses[node.Id] = node.Address!;
            }
            _namedAt[node.Address!] = now;
            if (node.PrimaryId is { } followed)
            {
                _following[node.Id] = (followed, node.IsFailed);
            }
            else
            {
                _following.Remove(node.Id);
            }
            if (!_watches.ContainsKey(node.Address!))
            {
                _watches.Add(node.Address!, new ClusterNodeWatch(this, node.Address!, _options));
            }
        }
        _namedAt[watch.Node] = now;
        foreach (var replica in view.Nodes.Where(n => n.PrimaryId is not null))
        {
            // Not one that is a primary by now: whoever speaks may not know yet.
            if (_shardOfNode.TryGetValue(replica.PrimaryId!, out var shard)
                && (!_shardOfNode.TryGetValue(replica.Id, out var own) || own.PrimaryId != replica.Id))
            {
                _shardOfNode[replica.Id] = shard;
            }
        }
    }

    /// <summary>Nodes that nobody names any more are not asked any more.</summary>
    private List<ClusterNodeWatch> Forget()
    {
        var gone = _watches.Where(w => !_seeds.Contains(w.Key) && Stopwatch.GetElapsedTime(_namedAt.GetValueOrDefault(w.Key)) > s_forgotten)
            .ToList();
        foreach (var (node, _) in gone)
        {
            _watches.Remove(node);
        }
        return [.. gone.Select(g => g.Value)];
    }

    /// <summary>Gives the slots to shards, and has those shards follow whose primary is another one.</summary>
    private void Divide()
    {
        var owners = Enumerable.Range(0, KeySlot.Count).Select(_claims.OwnerOf).OfType<string>().ToHashSet(StringComparer.Ordinal);
        foreach (var owner in owners)
        {
            if (!_addresses.TryGetValue(owner, out var address))
            {
                continue;
            }
            if (!_shardOfNode.TryGetValue(owner, out var shard) || (shard.PrimaryId != owner && owners.Contains(shard.PrimaryId)))
            {
                _shardOfNode[owner] = shard = new ClusterShard(this, _found.Count, owner, address, _options, _logger);
                _found.Add(shard);
                _logger.LogInformation("{Primary} is the primary of shard {Shard}.", EndPointCollection.ToString(address), shard.Index + 1);
                _ = shard.Connected.ContinueWith(_ => Redivide(), CancellationToken.None, TaskContinuationOptions.None,
                    TaskScheduler.Default);
            }
            else if (shard.PrimaryId != owner || !address.Equals(shard.Route.Primary))
            {
                var isGivenUp = shard.Route.Primary is { } former && _watches.TryGetValue(former, out var watch) && watch.IsAlive;
                shard.Follow(owner, address, isGivenUp);
            }
        }

        var before = _shardOfSlot;
        var after = new ClusterShard?[KeySlot.Count];
        for (var slot = 0; slot < after.Length; slot++)
        {
            // One that is not connected yet could only refuse; whoever had the slot says that it has it no more.
            after[slot] = _claims.OwnerOf(slot) is { } owner && _shardOfNode.TryGetValue(owner, out var shard)
                && (shard.Connected.IsCompleted || before[slot] is null) ? shard : before[slot];
        }
        Volatile.Write(ref _shardOfSlot, after);
        if (!before.SequenceEqual(after))
        {
            Interlocked.Exchange(ref _redivided, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
        Volatile.Write(ref _shards, [.. _found.Where(s => Array.IndexOf(after, s) >= 0)]);
        if (_shards.Count > 0 && _shards.All(s => s.Connected.IsCompleted))
        {
            if (_known.TrySetResult())
            {
                FailoverMetrics.Begin();
            }
        }
    }

    private void Redivide()
    {
        lock (_lock)
        {
            if (!_isStopped)
            {
                Divide();
            }
        }
    }
}
