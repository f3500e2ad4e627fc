namespace AspireRedis.Coordination;

/// <summary>
/// What connection strings of this library have beside what StackExchange.Redis reads: <c>topology=cluster</c>, and with it
/// <c>failover=forced</c>.
/// </summary>
internal static class RedisConnectionString
{
    private const string Topology = "topology";
    private const string Failover = "failover";

    /// <inheritdoc cref="IsOfCluster(string, out string, out bool)"/>
    public static bool IsOfCluster(string connectionString, out string rest) => IsOfCluster(connectionString, out rest, out _);

    /// <summary>Whether the servers are nodes of a Redis Cluster.</summary>
    /// <param name="connectionString">The connection string.</param>
    /// <param name="rest">The same as StackExchange.Redis reads it.</param>
    /// <param name="forcesFailover">Whether a replica is to take the place of a primary that is gone at once.</param>
    /// <exception cref="ArgumentException">It names another topology, or asks for failovers without a cluster.</exception>
    public static bool IsOfCluster(string connectionString, out string rest, out bool forcesFailover)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        var words = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var others = new List<string>();
        foreach (var part in connectionString.Split(','))
        {
            var pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            var value = pair switch
            {
                [var name, ..] when name.Equals(Topology, StringComparison.OrdinalIgnoreCase) => "cluster",
                [var name, ..] when name.Equals(Failover, StringComparison.OrdinalIgnoreCase) => "forced",
                _ => null,
            };
            if (value is null || pair.Length < 2)
            {
                others.Add(part);
            }
            else if (pair[1].Equals(value, StringComparison.OrdinalIgnoreCase))
            {
                words[pair[0]] = value;
            }
            else
            {
                throw new ArgumentException(
                    $"'{pair[0]}={pair[1]}' is not known: '{pair[0].ToLowerInvariant()}={value}' is; Sentinels have a serviceName instead.",
                    nameof(connectionString));
            }
        }
        rest = string.Join(',', others);
        forcesFailover = words.ContainsKey(Failover);
        return words.ContainsKey(Topology) || (!forcesFailover ? false
            : throw new ArgumentException($"'{Failover}=forced' needs '{Topology}=cluster': Sentinels decide alone.", nameof(connectionString)));
    }
}
