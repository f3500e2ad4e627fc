namespace AspireRedis.Topology;

/// <summary>The nodes of a deployment of any kind, where each is and how it is configured.</summary>
internal interface INodeLayout
{
    /// <summary>All of them, in the order in which they should first be started.</summary>
    IReadOnlyList<RedisNode> Nodes { get; }

    /// <summary>How somebody who may do everything logs in; null where nobody is asked.</summary>
    RedisLogin? Login { get; }

    /// <summary>The node at an address; null when none is there.</summary>
    RedisNode? NodeAt(RedisAddress address);

    /// <summary>The first content of a node's configuration file.</summary>
    string ConfigurationText(RedisNode node, string dataDirectory);

    /// <summary>Creates the directory of one node and its configuration file, if that does not exist yet.</summary>
    void WriteConfiguration(RedisNode node, string root);
}
