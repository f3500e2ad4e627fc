using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination.Regions;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// Two regions: a Sentinel deployment, another one that replicates from it and takes its place when it is lost, the witnesses that decide
/// which of the two may write, and the line between them. It is added by <see cref="RedisRegionsBuilderExtensions.WithStandbyRegion"/>.
/// </summary>
public sealed class RedisRegionsResource : Resource, IResourceWithWaitSupport
{
    internal RedisRegionsResource(string name, RedisSentinelResource active, string activeRegion, RedisSentinelResource standby,
        string standbyRegion, RedlockNodesResource witnesses)
        : base(name)
    {
        (Active, ActiveRegion, Standby, StandbyRegion, Witnesses) = (active, activeRegion, standby, standbyRegion, witnesses);
    }

    /// <summary>The deployment of the region that is active at first.</summary>
    public RedisSentinelResource Active { get; }

    /// <summary>The name of that region.</summary>
    public string ActiveRegion { get; }

    /// <summary>The deployment of the other region.</summary>
    public RedisSentinelResource Standby { get; }

    /// <summary>The name of that region.</summary>
    public string StandbyRegion { get; }

    /// <summary>The servers on which the right to accept writes is a lease.</summary>
    public RedlockNodesResource Witnesses { get; }

    /// <summary>The line between the regions.</summary>
    internal RegionLink Link { get; } = new();

    /// <summary>The name of the region of a deployment.</summary>
    internal string RegionOf(RedisSentinelResource deployment) => deployment == Active ? ActiveRegion : StandbyRegion;

    internal RedisSentinelResource Other(RedisSentinelResource deployment) => deployment == Active ? Standby : Active;

    /// <summary>Where the other region reaches a node, as its nodes see it; this machine reaches it there too.</summary>
    /// <exception cref="InvalidOperationException">The nodes of that region reach this machine by none of its addresses.</exception>
    internal RedisAddress LinkTo(RedisAddress node)
    {
        var deployment = Active.Topology.NodeAt(node) is null ? Standby : Active;
        var host = Other(deployment).Runtime.ThisMachine;
        try
        {
            return Link.Add(node, host, deployment.ReachedAt(deployment.Topology.NodeAt(node)!));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            throw new InvalidOperationException(
                $"{host}, the gateway of the containers, is no address of this machine. Regions in containers need networks that are on this "
                + $"machine, as those of Docker on Linux are; else set {RedisModeSetting.Key} to executable.", e);
        }
    }

    /// <summary>What a process in a region is told.</summary>
    /// <param name="region">Its region.</param>
    /// <param name="control">Whether it administers both.</param>
    /// <param name="cancellationToken">Ends the wait until all addresses are known.</param>
    internal async Task<IEnumerable<(string Name, string Value)>> SettingsAsync(string region, bool control,
        CancellationToken cancellationToken)
        => RegionSettings.Of(region,
            [
                (ActiveRegion, await Active.PreparedTopologyAsync(cancellationToken), Active.EndpointMap),
                (StandbyRegion, await Standby.PreparedTopologyAsync(cancellationToken), Standby.EndpointMap),
            ],
            (await Witnesses.PreparedTopologyAsync(cancellationToken)).LockNodes.Select(n => n.Address), LinkTo, control);

    /// <summary>What the AppHost operates on the regions with.</summary>
    /// <param name="from">The region it is in for that.</param>
    /// <param name="linked">Whether it reaches the other one over the line. To look at both it need not.</param>
    internal RegionOptions OptionsFor(string from, bool linked)
    {
        var options = new RegionOptions
        {
            Name = from, Witnesses = string.Join(',', Witnesses.Topology.LockNodes.Select(n => n.Address)),
        };
        foreach (var (name, deployment) in new[] { (ActiveRegion, Active), (StandbyRegion, Standby) })
        {
            var topology = deployment.Topology;
            var definition = new RegionDefinition
            {
                Name = name, ConnectionString = topology.ControlConnectionString,
                Servers = string.Join(',', topology.Servers.Select(s => s.Address)), EndpointMap = deployment.EndpointMap ?? "",
                ReplicationUser = RedisRegionUsers.Replication, ReplicationPassword = topology.ReplicationPassword,
            };
            foreach (var node in linked ? topology.Nodes : [])
            {
                definition.Links[$"{node.Address}"] = $"{LinkTo(node.Address)}";
            }
            options.Regions.Add(definition);
        }
        return options;
    }
}
