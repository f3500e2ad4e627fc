using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// The requests of a provider that wait, or have a lease for which others may wait, by their owner tokens. Safe for
/// concurrent use.
/// </summary>
internal sealed class LeaseRequests
{
    private readonly ConcurrentDictionary<string, LeaseRequest> _byOwner = new(StringComparer.Ordinal);
    private long _lastOwner;

    private readonly string _id = Guid.NewGuid().ToString("N");

    /// <summary>
    /// 32 characters with which all owner tokens of this provider at a shard begin. Each has a channel of its own, for a node of a cluster
    /// passes on to all others what is published: one name would be heard once for each shard that we listen at.
    /// </summary>
    /// <param name="shard">The number of the shard, from 0.</param>
    public string ProviderIdAt(int shard)
        => shard == 0 ? _id : string.Create(CultureInfo.InvariantCulture, $"{_id.AsSpan(0, 30)}{shard & 0xff:x2}");

    public IEnumerable<LeaseRequest> All => _byOwner.Values;

    /// <summary>
    /// A token that nobody else has. Whoever wakes the owner knows nothing else of it, so the token ends with the prefix of the
    /// channel, if there is one: in hexadecimal, after an <c>@</c>.
    /// </summary>
    /// <param name="channelPrefix">See <see cref="RedisDeployment.ChannelPrefix"/>.</param>
    /// <param name="shard">The number of the shard that has the lease.</param>
    public string NewOwner(string channelPrefix, int shard)
    {
        var id = ProviderIdAt(shard);
        var number = Interlocked.Increment(ref _lastOwner);
        return channelPrefix.Length == 0
            ? $"{id}.{number:x}"
            : $"{id}.{number:x}@{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(channelPrefix))}";
    }

    public void Add(LeaseRequest request) => _byOwner[request.Owner] = request;

    public void Remove(string owner) => _byOwner.TryRemove(owner, out _);

    /// <summary>The request of an owner of this provider; null when it is another's.</summary>
    public LeaseRequest? Find(string? owner) => owner is not null && _byOwner.TryGetValue(owner, out var request) ? request : null;

    /// <summary>Has all waiters of a resource, or all there are, look after their places in the queue.</summary>
    public void Resynchronise(string? resource)
    {
        foreach (var (_, request) in _byOwner)
        {
            if (resource is null || request.Resource == resource)
            {
                request.Resynchronise();
            }
        }
    }
}
