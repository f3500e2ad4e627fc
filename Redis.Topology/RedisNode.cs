namespace AspireRedis.Topology;

/// <summary>One server or Sentinel of a <see cref="RedisTopology"/>. Immutable.</summary>
/// <param name="Name">Unique in its topology: <c>redis-1</c>, <c>sentinel-1</c>, <c>lock-1</c>; also the name of its directory.</param>
/// <param name="Role">Its role when the topology is first started.</param>
/// <param name="Host">The IP address that other nodes and clients reach it at.</param>
/// <param name="Port">The TCP port it listens on.</param>
public sealed record RedisNode(string Name, RedisRole Role, string Host, int Port)
{
    /// <summary>Host and port together.</summary>
    public RedisAddress Address => new(Host, Port);

    /// <summary>Name and address, for messages.</summary>
    /// <returns><c>redis-1 (127.0.0.1:6379)</c>.</returns>
    public override string ToString() => $"{Name} ({Address})";
}
