using System.Globalization;
using AspireRedis.Coordination.Regions.Nodes;

namespace AspireRedis.Coordination.Regions.Permission;

/// <summary>Writes the permission into a primary.</summary>
/// <remarks>
/// It ends with the lease of the region. That end is known by our clock and is written in the server's, which is asked just before: the
/// two need not agree. A server that is frozen in between, or for whom the write waits in a queue, grants nothing that is over.
/// </remarks>
internal sealed class PermitWriter(TimeProvider clock)
{
    private static readonly string s_grant = RedisScript.Read(typeof(PermitWriter), "grant-permit");

    /// <summary>Grants it.</summary>
    /// <param name="primary">The primary.</param>
    /// <param name="permit">Region and epoch.</param>
    /// <param name="validUntil">When the lease is over, in timestamps of our clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null, or what stands there under a higher epoch: nothing was granted then.</returns>
    public async Task<RegionPermit?> GrantAsync(
        NodeLink primary, RegionPermit permit, long validUntil, CancellationToken cancellationToken)
        => await GrantAsync(primary, permit, validUntil, await primary.ExecuteAsync(cancellationToken, "TIME"), cancellationToken);

    /// <summary>The same, for a server that has just been asked for the time.</summary>
    public async Task<RegionPermit?> GrantAsync(
        NodeLink primary, RegionPermit permit, long validUntil, object? answer, CancellationToken cancellationToken)
    {
        var time = (object?[])answer!;
        // Its clock showed that before the answer was here, so what is left is counted too short and never too long.
        var left = clock.GetElapsedTime(clock.GetTimestamp(), validUntil);
        var now = (Number(time[0]) * 1000) + (Number(time[1]) / 1000);
        var granted = await primary.ExecuteAsync(cancellationToken, "EVAL", s_grant, 4, RegionPermit.Key, RegionPermit.LastKey,
            RegionPermit.FormerKey, RegionPermit.HandOverKey, permit.ToString(), permit.Epoch, now + (long)left.TotalMilliseconds);
        return granted is 1L ? null : RegionPermit.Parse(granted as string);
    }

    private static long Number(object? text) => long.Parse((string)text!, CultureInfo.InvariantCulture);
}
