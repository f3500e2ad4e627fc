using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>
/// So many nodes did not vote that no majority was possible. What some of them granted is given back or ends with its TTL.
/// </summary>
public sealed class NoQuorumException : RedisException
{
    internal NoQuorumException(string resource, int nodes, IReadOnlyList<RedlockNodeError> errors)
        : base(
            $"The lease '{resource}' needs {(nodes / 2) + 1} of {nodes} nodes, of which {errors.Count} cannot be counted: "
            + string.Join("; ", errors.Select(e => $"{e.Node}: {e.Error.Message}")),
            new AggregateException(errors.Select(e => e.Error)))
    {
        Resource = resource;
        Errors = errors;
    }

    /// <summary>The name of the lease.</summary>
    public string Resource { get; }

    /// <summary>What was wrong with each node that did not vote.</summary>
    public IReadOnlyList<RedlockNodeError> Errors { get; }
}
