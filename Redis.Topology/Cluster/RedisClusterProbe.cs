namespace AspireRedis.Topology;

/// <summary>Asks the nodes of a cluster how they are. Safe for concurrent use.</summary>
/// <param name="topology">The nodes to ask.</param>
/// <param name="reachedAt">Where this process reaches a node, if not at its own address; null for there.</param>
internal sealed class RedisClusterProbe(RedisClusterTopology topology, Func<RedisNode, RedisAddress>? reachedAt = null) : INodeProbe
{
    private readonly RedisClusterControl _control = new(topology, reachedAt);

    /// <inheritdoc cref="RedisClusterControl.MissingAsync"/>
    public Task<string?> MissingAsync(CancellationToken token) => _control.MissingAsync(token);

    public async Task<string?> MissingAsync(RedisNode node, CancellationToken token)
        => RedisTopologyProbe.MissingAccordingTo(await _control.ExecuteAsync(node, token, "ROLE"), node);

    public async Task<IReadOnlyDictionary<RedisNode, RedisNodeReport?>> ReportAsync(CancellationToken token)
    {
        var asked = topology.Nodes.ToDictionary(n => n, n => TryReportAsync(n, token));
        await Task.WhenAll(asked.Values);
        var reports = asked.ToDictionary(a => a.Key, a => a.Value.Result);
        RedisNodeReport.TellLags(reports, topology);
        return reports;
    }

    /// <summary>
    /// Who is the primary of a shard: of two that claim it, as after a failover the one that comes back does, the newer one.
    /// </summary>
    /// <param name="shard">Its name.</param>
    /// <param name="reports">What the nodes say.</param>
    /// <returns>Null when none answers.</returns>
    public static RedisNode? PrimaryOf(string shard, IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
        => reports.Keys.Where(n => reports[n] is { IsPrimary: true } && RedisClusterTopology.ShardOf(n) == shard)
            .MaxBy(n => reports[n]!.ConfigEpoch);

    private async Task<RedisNodeReport?> TryReportAsync(RedisNode node, CancellationToken token)
    {
        try
        {
            var self = (await _control.DescribeAsync(node, token)).First(n => n.IsSelf);
            return RedisNodeReport.OfServer((string)(await _control.ExecuteAsync(node, token, "INFO", "replication"))!) with
            {
                Slots = self.Slots, ConfigEpoch = self.Epoch,
            };
        }
        catch (IOException)
        {
            return null;
        }
    }
}
