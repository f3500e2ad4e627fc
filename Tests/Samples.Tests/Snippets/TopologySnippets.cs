using AspireRedis.Topology;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of Redis.Topology/README.md.</summary>
internal static class TopologySnippets
{
    public static async Task RunAsync(string directory, CancellationToken cancellationToken)
    {
        #region topology
        // A primary, two replicas and three Sentinels on free local ports.
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 2, Sentinels = 3 });
        topology.WriteConfiguration(directory);   // a folder with redis.conf or sentinel.conf for each node

        // With the nodes started, for example redis-server DIRECTORY/primary/redis.conf:
        var probe = new RedisTopologyProbe(topology);
        foreach (var (node, report) in await probe.ReportAsync(cancellationToken))
        {
            Console.WriteLine($"{node}: {(report is null ? "no answer" : report.IsPrimary ? "primary" : "follows " + report.Primary)}");
        }
        #endregion
    }
}
