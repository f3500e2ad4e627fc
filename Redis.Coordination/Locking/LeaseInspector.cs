using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Looks at leases of <see cref="RedisLeaseProvider"/> from outside: who has one and how many wait. For people and dashboards: what it
/// says may be over when it arrives, and nothing may be decided by it.
/// </summary>
/// <remarks>
/// One short script for each lease, which reads and writes nothing; it answers in a standby region too. Within a
/// process a lease may be handed on without the server, which hears of it with the next renewal or release: the holder is then shown
/// as one of the same provider. Safe for concurrent use.
/// </remarks>
public sealed class LeaseInspector
{
    private static readonly RedisScript s_describe = RedisScript.Load<LeaseInspector>("describe-lease", repeatable: true).ForAnyRegion();

    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public LeaseInspector(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>Looks at one lease.</summary>
    /// <param name="resource">Its name, as it was given to <see cref="ILeaseProvider"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">No lease can have this name.</exception>
    /// <exception cref="RedisUnavailableException">No primary answered in time.</exception>
    /// <exception cref="RedisServerException">The key is not that of a lease.</exception>
    public async Task<LeaseStatus> DescribeAsync(string resource, CancellationToken cancellationToken = default)
    {
        LeaseKeys.Validate(resource);
        var keys = new LeaseKeys(resource);
        var reply = await _deployment.EvaluateAsync(s_describe, [keys.Lease, keys.Queue, keys.Fence], [], cancellationToken);
        var value = (string)reply[0]!;
        var left = (long)reply[1];
        var (holder, token) = Split(value);
        return new LeaseStatus(resource, holder, token, holder is null || left < 0 ? null : TimeSpan.FromMilliseconds(left), (long)reply[2],
            long.TryParse((string)reply[3]!, NumberStyles.None, CultureInfo.InvariantCulture, out var last) ? last : 0);
    }

    /// <summary>Looks at several leases at once, in one round trip; each is looked at for itself, not all at the same moment.</summary>
    /// <param name="resources">Their names.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What they are, in the same order.</returns>
    /// <inheritdoc cref="DescribeAsync(string, CancellationToken)" path="/exception"/>
    public async Task<IReadOnlyList<LeaseStatus>> DescribeAsync(
        IEnumerable<string> resources, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resources);
        return await Task.WhenAll(resources.Select(resource => DescribeAsync(resource, cancellationToken)));
    }

    /// <summary>OWNER:TOKEN; what another client has set is its own affair.</summary>
    private static (string? Holder, long? Token) Split(string value)
        => value.Length == 0 ? (null, null)
            : value.LastIndexOf(':') is var at and > 0
                && long.TryParse(value.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var token)
                ? (value[..at], token)
                : (value, null);
}
