using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>The nodes of a provider, which are asked and told all at once. Safe for concurrent use.</summary>
internal sealed class RedlockNodeSet : IAsyncDisposable
{
    private readonly TimeSpan _nodeTimeout;
    private readonly TimeProvider _clock;
    private volatile bool _contacted;

    public RedlockNodeSet(RedlockOptions options, TimeProvider clock, ILogger logger)
    {
        var processes = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        Nodes = options.Validate().Select(connection => new RedlockNode(connection, options, processes, clock, logger)).ToArray();
        _nodeTimeout = options.NodeTimeout;
        _clock = clock;
    }

    public IReadOnlyList<RedlockNode> Nodes { get; }

    /// <summary>Begins to ask every node to grant the lease, or to renew it.</summary>
    public RedlockRound Ask(string resource, string owner, TimeSpan ttl, long fencingToken)
        => RedlockRound.Begin(Nodes, KeysOf(resource), owner, ttl, fencingToken);

    /// <summary>Until a majority has granted it or none is possible any more.</summary>
    public async Task<RedlockOutcome> OutcomeAsync(RedlockRound round, TimeSpan ttl, CancellationToken cancellationToken)
    {
        // A short lease has no time for slow nodes.
        var atMost = ttl < _nodeTimeout ? ttl : _nodeTimeout;
        return await round.Quorum.DecidedAsync(atMost, _clock, cancellationToken) ? round.Outcome() : round.Outcome(atMost);
    }

    /// <summary>Releases what the owner may have on these nodes; true when a majority of them has answered.</summary>
    /// <param name="nodes">All nodes or some.</param>
    /// <param name="resource">The name of the lease.</param>
    /// <param name="owner">Whose lease.</param>
    /// <param name="fencingToken">Under which token.</param>
    /// <param name="ttl">For how long a node that cannot be reached now has to be told.</param>
    /// <param name="publish">Whether the nodes tell those who wait.</param>
    /// <param name="inVain">Whether nobody was given the lease: nodes put back the last token of before.</param>
    public async Task<bool> ReleaseAsync(
        IReadOnlyList<RedlockNode> nodes, string resource, string owner, long fencingToken, TimeSpan ttl, bool publish,
        bool inVain = false)
    {
        var keys = KeysOf(resource);
        RedisValue[] arguments = [owner, fencingToken, publish ? (string)RedlockQueue.Channel(resource)! : "", inVain ? 1 : 0];
        var quorum = new Quorum(nodes.Count);
        foreach (var node in nodes)
        {
            _ = OneAsync(node);
        }
        return nodes.Count == 0 || (await quorum.DecidedAsync(_nodeTimeout, _clock, CancellationToken.None) && quorum.IsReached);

        async Task OneAsync(RedlockNode node)
            => quorum.Vote(await node.ReleaseAsync(keys, arguments, ttl));
    }

    /// <summary>Nodes that have not been reached yet are given a moment, and as long as it takes while there is no majority.</summary>
    public async ValueTask FirstContactAsync(CancellationToken cancellationToken)
    {
        if (_contacted)
        {
            return;
        }
        var quorum = new Quorum(Nodes.Count);
        foreach (var node in Nodes)
        {
            _ = node.FirstContact.ContinueWith(
                _ => quorum.Vote(node.IsReady), cancellationToken, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        var all = Task.WhenAll(Nodes.Select(n => n.FirstContact));
        if (await Task.WhenAny(all, Task.Delay(_nodeTimeout, _clock, cancellationToken)) != all)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await quorum.DecidedAsync(_nodeTimeout + TimeSpan.FromSeconds(2), _clock, cancellationToken);
        }
        _contacted = true;
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(Nodes.Select(n => n.DisposeAsync().AsTask()));

    private static RedisKey[] KeysOf(string resource)
    {
        var keys = new LeaseKeys(resource);
        return [keys.Lease, keys.Fence];
    }
}
