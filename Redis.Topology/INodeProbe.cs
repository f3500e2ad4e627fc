namespace AspireRedis.Topology;

/// <summary>Asks the nodes of a deployment of any kind how they are, at protocol level and without changing anything.</summary>
internal interface INodeProbe
{
    /// <summary>Whether the deployment is whole.</summary>
    /// <returns>Null when it is, else what is missing.</returns>
    /// <exception cref="IOException">A node does not answer.</exception>
    /// <exception cref="InvalidOperationException">No node answers that could tell.</exception>
    Task<string?> MissingAsync(CancellationToken token);

    /// <summary>Whether one node does its work: a replica must be in sync with its primary, any other node must answer.</summary>
    /// <returns>Null when it does, else what is missing.</returns>
    /// <exception cref="IOException">The node does not answer.</exception>
    Task<string?> MissingAsync(RedisNode node, CancellationToken token);

    /// <summary>Asks all nodes at once what they are and do at the moment.</summary>
    /// <returns>A report per node, or null for one that does not answer.</returns>
    Task<IReadOnlyDictionary<RedisNode, RedisNodeReport?>> ReportAsync(CancellationToken token);
}
