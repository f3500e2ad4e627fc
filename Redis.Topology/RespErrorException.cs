namespace AspireRedis.Topology;

/// <summary>A Redis server answered with an error.</summary>
internal sealed class RespErrorException(string message) : IOException(message);
