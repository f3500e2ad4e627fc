using AspireRedis.Topology;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of Redis.Topology/README.md.</summary>
internal static class TopologySnippets
{
    public static void Run(string directory)
    {
        #region topology
        // A primary, two replicas and three Sentinels on free local ports.
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 2, Sentinels = 3 });
        topology.WriteConfiguration(directory);   // a folder with redis.conf or sentinel.conf for each node

        foreach (var node in topology.Nodes)
        {
            Console.WriteLine($"redis-server {string.Join(' ', RedisTopology.Arguments(node, directory))}   # {node.Role} at {node.Host}:{node.Port}");
        }
        Console.WriteLine($"The connection string of a client: {topology.ConnectionString}");
        #endregion
    }
}
