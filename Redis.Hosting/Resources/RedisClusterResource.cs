using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting;

/// <summary>
/// A Redis Cluster: primaries that share the slots, and their replicas. Its connection string names all nodes
/// (<c>host:port,...,topology=cluster[,password=...]</c>); <c>topology=cluster</c> is a word of AspireRedis.Coordination. It is added by
/// <see cref="RedisClusterBuilderExtensions.AddRedisCluster"/>.
/// </summary>
public sealed class RedisClusterResource : RedisDeploymentResource
{
    // Nodes that are started one after the other answer within it.
    private static readonly TimeSpan s_formBound = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private RedisClusterControl? _control;

    internal RedisClusterResource(string name, INodeRuntime runtime)
        : base(name, runtime)
    {
    }

    /// <summary>What the nodes are; the password is not in it.</summary>
    public RedisClusterOptions Options { get; internal set; } = new();

    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => ListOf(Nodes, ",topology=cluster");

    internal override string TypeName => "Redis Cluster";

    internal override IEnumerable<(string Name, RedisRole Role)> NodeNames
        => RedisNodeNames.Shards(Shards, Options.ReplicasPerPrimary);

    internal override bool NodesReachEachOther => true;

    /// <inheritdoc cref="RedisDeploymentResource.Layout"/>
    internal RedisClusterTopology Topology => (RedisClusterTopology)Layout;

    internal override INodeProbe NodeProbe => new RedisClusterProbe(Topology, ReachedAt);

    /// <summary>Changes the cluster from this machine.</summary>
    internal RedisClusterControl Control => LazyInitializer.EnsureInitialized(ref _control, () => new(Topology, ReachedAt));

    /// <summary>How many shards there are, those without slots too.</summary>
    internal int Shards => Options.Primaries + Options.SpareShards;

    internal override async Task<INodeLayout> LayOutAsync(Func<string, RedisRole, RedisAddress> place, Func<string, int> busPort,
        string? bind, CancellationToken cancellationToken)
        => RedisClusterTopology.Create(
            Options with { Password = await PasswordAsync(cancellationToken), Bind = bind ?? Options.Bind }, place, busPort);

    /// <summary>Nodes make no cluster by themselves: they are told of one another once, and remember it.</summary>
    internal override async Task JoinAsync(ILogger logger, CancellationToken stopping)
    {
        var reason = "";
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Control.FormAsync(s_formBound, stopping);
                logger.LogInformation("The cluster is formed: {Primaries} primaries with {Replicas} replicas each.", Options.Primaries,
                    Options.ReplicasPerPrimary);
                return;
            }
            catch (IOException e) when (e is not RespErrorException)
            {
                // A node does not answer yet.
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                if (e.Message != reason)
                {
                    logger.LogWarning("The cluster is not formed yet, and is tried again: {Reason}", e.Message);
                }
                reason = e.Message;
            }
            await Task.Delay(s_pause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
