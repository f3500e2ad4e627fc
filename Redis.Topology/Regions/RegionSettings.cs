using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>
/// What a process is told of two regions: the settings that <c>RegionOptions</c> of AspireRedis.Coordination is read from.
/// </summary>
internal static class RegionSettings
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Regions";

    /// <summary>Names and values.</summary>
    /// <param name="region">The region of the process.</param>
    /// <param name="regions">
    /// Both; with an endpoint map where the process does not reach the nodes at their own addresses.
    /// </param>
    /// <param name="witnesses">The lock nodes.</param>
    /// <param name="link">Where the other region reaches a node.</param>
    /// <param name="control">
    /// Whether the process administers both regions. A service is a user of its own region, and has no password of the other one; for level
    /// <c>Region</c> it must know which servers are those.
    /// </param>
    public static IEnumerable<(string Name, string Value)> Of(
        string region, IReadOnlyList<(string Name, RedisTopology Topology, string? EndpointMap)> regions,
        IEnumerable<RedisAddress> witnesses, Func<RedisAddress, RedisAddress> link, bool control)
    {
        yield return ($"{Section}:Name", region);
        if (control)
        {
            yield return ($"{Section}:Witnesses", string.Join(',', witnesses));
        }
        var index = 0;
        foreach (var (name, topology, endpointMap) in regions)
        {
            var at = string.Create(CultureInfo.InvariantCulture, $"{Section}:Regions:{index++}");
            yield return ($"{at}:Name", name);
            yield return ($"{at}:ConnectionString", control ? topology.ControlConnectionString
                : name == region ? topology.ConnectionString : topology.ConnectionStringFor(null));
            yield return ($"{at}:Servers", string.Join(',', topology.Servers.Select(s => s.Address)));
            if (endpointMap is not null)
            {
                yield return ($"{at}:EndpointMap", endpointMap);
            }
            if (control)
            {
                yield return ($"{at}:ReplicationUser", RedisRegionUsers.Replication);
                yield return ($"{at}:ReplicationPassword", topology.ReplicationPassword!);
                // A key of a section must not have a colon in it: node=link, with commas.
                yield return ($"{at}:Link", string.Join(',', topology.Nodes.Where(n => n.Role != RedisRole.LockNode)
                    .Select(n => $"{n.Address}={link(n.Address)}")));
            }
        }
    }
}
