namespace AspireRedis.Coordination;

/// <summary>What connection strings of this library have beside what StackExchange.Redis reads: <c>topology=cluster</c>.</summary>
internal static class RedisConnectionString
{
    private const string Topology = "topology";

    /// <summary>Whether the servers are nodes of a Redis Cluster.</summary>
    /// <param name="connectionString">The connection string.</param>
    /// <param name="rest">The same as StackExchange.Redis reads it.</param>
    /// <exception cref="ArgumentException">It names another topology.</exception>
    public static bool IsOfCluster(string connectionString, out string rest)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        var parts = connectionString.Split(',').Select(p => p.Split('=', 2)).ToLookup(
            p => p.Length == 2 && p[0].Trim().Equals(Topology, StringComparison.OrdinalIgnoreCase));
        rest = string.Join(',', parts[false].Select(p => string.Join('=', p)));
        var others = parts[true].Select(p => p[1].Trim()).Where(t => !t.Equals("cluster", StringComparison.OrdinalIgnoreCase)).ToList();
        return others.Count == 0 ? parts[true].Any()
            : throw new ArgumentException(
                $"'{Topology}={others[0]}' is not known: '{Topology}=cluster' is; Sentinels have a serviceName instead.",
                nameof(connectionString));
    }
}
