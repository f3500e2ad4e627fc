using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Regions;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// A primary, its replicas and the Sentinels that watch them. Its connection string names the Sentinels and the service
/// (<c>host:port,...,serviceName=NAME[,password=...]</c>), which StackExchange.Redis understands. It is added by
/// <see cref="RedisSentinelBuilderExtensions.AddRedisSentinel"/>.
/// </summary>
public sealed class RedisSentinelResource : RedisTopologyResource
{
    internal RedisSentinelResource(string name, INodeRuntime runtime)
        : base(name, new RedisTopologyOptions(), runtime)
    {
    }

    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => Options.Sentinels > 0
        ? ListOf(Nodes.Where(n => n.FirstRole == RedisRole.Sentinel), $",serviceName={Options.ServiceName}")
        : ListOf(Nodes, "");

    /// <summary>The two regions of which it is one; null without regions.</summary>
    public RedisRegionsResource? Regions { get; internal set; }

    /// <summary>What the passwords of its region's users come from; null without regions.</summary>
    internal ParameterResource? Secret { get; set; }

    /// <summary>How far the replicas of its primary are, those of the other region too, as they were seen last.</summary>
    internal IReadOnlyDictionary<RedisAddress, RedisReplicaLag> ReplicaLags { get; set; } = new Dictionary<RedisAddress, RedisReplicaLag>();

    private protected override (string User, RegionPasswordReference Password)? Login => Secret is { } secret
        ? (RedisRegionUsers.Application, new RegionPasswordReference(secret, RedisRegionUsers.Application)) : null;

    private protected override async Task<RedisTopologyOptions> StartOptionsAsync(CancellationToken cancellationToken)
    {
        var options = await base.StartOptionsAsync(cancellationToken);
        if (Regions is null)
        {
            return options;
        }
        options = options with { Users = RedisRegionUsers.FromSecret((await Secret!.GetValueAsync(cancellationToken))!) };
        if (Regions.Standby != this)
        {
            return options;
        }
        var active = await Regions.Active.PreparedTopologyAsync(cancellationToken);
        return options with { Standby = new RedisStandby(Regions.LinkTo(active.Primary.Address), active.Options.Users!) };
    }

    internal override string TypeName => "Redis Sentinel deployment";

    internal override IEnumerable<(string Name, RedisRole Role)> NodeNames
        => RedisNodeNames.Servers(Options.Replicas).Concat(RedisNodeNames.Sentinels(Options.Sentinels));

    internal override bool NodesReachEachOther => true;

    internal override RedisTopologyOptions With(RedisPersistence persistence) => Options with { Persistence = persistence };
}
