using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>Asks the nodes of a topology how they are, at protocol level and without changing anything. Safe for concurrent use.</summary>
/// <param name="topology">The nodes to ask.</param>
/// <param name="reachedAt">Where this process reaches a node, if not at its own address; null for there.</param>
internal sealed class RedisTopologyProbe(RedisTopology topology, Func<RedisNode, RedisAddress>? reachedAt = null) : INodeProbe
{
    /// <summary>The nodes that are asked.</summary>
    public RedisTopology Topology { get; } = topology ?? throw new ArgumentNullException(nameof(topology));

    /// <summary>
    /// The server that is the primary now: what the Sentinel with the newest configuration says, or without Sentinels
    /// the server that says so itself.
    /// </summary>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <returns>A server; it may be one that has just died and is not replaced yet.</returns>
    /// <exception cref="InvalidOperationException">No node answers that could tell.</exception>
    public async Task<RedisNode> CurrentPrimaryAsync(CancellationToken cancellationToken = default)
    {
        var failures = new List<string>();
        (RedisAddress Address, long Epoch)? newest = null;
        var answers = Topology.Sentinels.Count > 0
            ? Topology.Sentinels.Select(n => (Node: n, Answer: MasterAccordingToAsync(n, cancellationToken)))
            : Topology.Servers.Select(n => (Node: n, Answer: MasterItselfAsync(n, cancellationToken)));
        // All asked at once: one that is frozen answers by its timeout only.
        foreach (var (node, answer) in answers.ToList())
        {
            try
            {
                if (await answer is { } master && (newest is null || master.Epoch > newest.Value.Epoch))
                {
                    newest = master;
                }
            }
            catch (IOException e)
            {
                failures.Add($"{node.Name}: {e.Message}");
            }
        }

        if (newest is null)
        {
            throw new InvalidOperationException($"No node can tell which server is the primary. {string.Join("; ", failures)}");
        }

        return Topology.NodeAt(newest.Value.Address)
            ?? throw new InvalidOperationException(
            $"Sentinel reports a primary at {newest.Value.Address}, which is no node of the topology.");
    }

    /// <summary>
    /// Whether one server is the primary, all others follow it and are in sync, and every Sentinel agrees, knows all the
    /// others and could fail over.
    /// </summary>
    /// <param name="token">Ends the question.</param>
    /// <returns>Null when all is well, else what is missing.</returns>
    /// <exception cref="IOException">A node does not answer.</exception>
    /// <exception cref="InvalidOperationException">No node answers that could tell which server is the primary.</exception>
    /// <remarks>
    /// A region that is a standby is whole when its head is linked to the active region, all its other servers hang below the head and
    /// are in sync, and every Sentinel answers. The servers of the other region that an active one has as replicas are not counted.
    /// </remarks>
    public async Task<string?> MissingAsync(CancellationToken token = default)
    {
        if (IsRegion && await IsStandbyAsync(token))
        {
            return await MissingStandbyAsync(token);
        }

        string? missing = null;
        if (Topology.Servers.Count > 0)
        {
            missing = await MissingDeploymentAsync(token);
        }

        foreach (var node in Topology.LockNodes)
        {
            missing ??= await MissingAsync(node, token);
        }

        return missing;
    }

    private async Task<string?> MissingDeploymentAsync(CancellationToken token)
    {
        var primary = await CurrentPrimaryAsync(token);
        var missing = await MissingServersAsync(primary, token);
        foreach (var sentinel in Topology.Sentinels)
        {
            missing ??= await MissingSentinelAsync(sentinel, primary, token);
        }

        return missing;
    }

    /// <summary>Whether one node does its work: a replica must be in sync with its primary, any other node must answer.</summary>
    /// <param name="node">A node of the topology.</param>
    /// <param name="token">Ends the question.</param>
    /// <returns>Null when it does, else what is missing.</returns>
    /// <exception cref="IOException">The node does not answer.</exception>
    public async Task<string?> MissingAsync(RedisNode node, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (node.Role is RedisRole.Sentinel or RedisRole.LockNode)
        {
            return await AskAsync(node, token, "PING") is "PONG" ? null : $"{node.Name} does not answer PING";
        }

        return MissingAccordingTo(await AskAsync(node, token, "ROLE"), node);
    }

    /// <summary>Asks all nodes at once what they are and do at the moment.</summary>
    /// <param name="token">Ends the question.</param>
    /// <returns>A report per node, or null for one that does not answer.</returns>
    public async Task<IReadOnlyDictionary<RedisNode, RedisNodeReport?>> ReportAsync(CancellationToken token = default)
    {
        var asked = Topology.Nodes.ToDictionary(n => n, n => TryReportAsync(n, token));
        await Task.WhenAll(asked.Values);
        var reports = asked.ToDictionary(a => a.Key, a => a.Value.Result);

        foreach (var (node, report) in reports.Where(r => IsRegion && r.Value is { IsPrimary: true }).ToList())
        {
            reports[node] = report! with { ReplicasInSync = report.ReplicaLags.Keys.Count(a => Topology.NodeAt(a) is not null) };
        }

        RedisNodeReport.TellLags(reports, Topology);
        return reports;
    }

    /// <summary>Of a server: by the role of the moment, for any may be the primary by now.</summary>
    internal static string? MissingAccordingTo(object? role, RedisNode node)
        => role is object?[] and ["slave", _, _, string link, ..] && link != "connected"
            ? $"{node.Name} is not in sync with its primary ({link})"
            : null;

    internal async Task<string?> MissingServersAsync(RedisNode primary, CancellationToken token)
    {
        var role = (object?[])(await AskAsync(primary, token, "ROLE"))!;
        if (role[0] is not "master")
        {
            return $"{primary.Name} is not yet the primary";
        }

        var inSync = ((object?[])role[2]!).Count(replica => !IsRegion || IsOwn((object?[])replica!));
        if (inSync != Topology.Servers.Count - 1)
        {
            return $"{primary.Name} has {inSync} of {Topology.Servers.Count - 1} replicas in sync";
        }

        foreach (var server in Topology.Servers.Where(n => n != primary))
        {
            // "slave", host, port, state, offset
            role = (object?[])(await AskAsync(server, token, "ROLE"))!;
            if (role is not ["slave", string host, long port, "connected", ..] || new RedisAddress(host, (int)port) != primary.Address)
            {
                return $"{server.Name} does not follow {primary.Name} yet ({string.Join(' ', role)})";
            }
        }

        return null;

        bool IsOwn(object?[] replica)
            => Topology.NodeAt(new((string)replica[0]!, int.Parse((string)replica[1]!, CultureInfo.InvariantCulture))) is not null;
    }

    /// <summary>Whether the region is a standby, whose Sentinels monitor nothing.</summary>
    /// <exception cref="IOException">No Sentinel answers.</exception>
    public async Task<bool> IsStandbyAsync(CancellationToken token = default)
    {
        IOException? silent = null;
        var answers = Topology.Sentinels.Select(async sentinel =>
        {
            try
            {
                return ((object?[])(await AskAsync(sentinel, token, "SENTINEL", "MASTERS"))!).Length > 0;
            }
            catch (IOException e)
            {
                silent = e;
                return (bool?)null;
            }
        });
        var monitors = await Task.WhenAll(answers);
        // One that monitors is enough: a promotion tells one after the other.
        return monitors.Contains(true) ? false : monitors.Contains(false) ? true : throw silent!;
    }

    private async Task<string?> MissingStandbyAsync(CancellationToken token)
    {
        RedisNode? head = null;
        var followed = new Dictionary<RedisNode, RedisAddress>();
        foreach (var server in Topology.Servers)
        {
            if ((object?[])(await AskAsync(server, token, "ROLE"))! is not ["slave", string host, long port, string link, ..])
            {
                return $"{server.Name} is a primary, and no Sentinel monitors it";
            }

            if (link != "connected")
            {
                return $"{server.Name} is not in sync with {host}:{port} ({link})";
            }

            followed[server] = new(host, (int)port);
            if (Topology.NodeAt(followed[server]) is null)
            {
                if (head is not null)
                {
                    return $"{head.Name} and {server.Name} both replicate from outside of the region";
                }

                head = server;
            }
        }

        if (head is null)
        {
            return "no server replicates from the active region";
        }

        foreach (var sentinel in Topology.Sentinels)
        {
            if (await MissingAsync(sentinel, token) is { } missing)
            {
                return missing;
            }
        }

        return null;
    }

    /// <summary>Whether it is one of two, of which the other's head is a replica of this one's primary.</summary>
    private bool IsRegion => Topology.Options.Users is not null;

    private async Task<string?> MissingSentinelAsync(RedisNode sentinel, RedisNode primary, CancellationToken token)
    {
        var name = Topology.Options.ServiceName;
        var master = Fields(await AskAsync(sentinel, token, "SENTINEL", "MASTER", name));
        var replicas = ((object?[])(await AskAsync(sentinel, token, "SENTINEL", "REPLICAS", name))!).Select(Fields)
            // The head of the standby too, which is down for them: they cannot log in there.
            .Where(r => !IsRegion || Topology.NodeAt(AddressOf(r)) is not null).ToList();
        var others = ((object?[])(await AskAsync(sentinel, token, "SENTINEL", "SENTINELS", name))!).Select(Fields).ToList();
        // More flags than these mean down, disconnected or a failover in progress.
        return AddressOf(master) != primary.Address || master["flags"] != "master"
            ? $"{sentinel.Name} sees {AddressOf(master)} as {master["flags"]}"
            : replicas.Count(r => r["flags"] == "slave") != Topology.Servers.Count - 1 || replicas.Count != Topology.Servers.Count - 1
                ? $"{sentinel.Name} sees replicas {Seen(replicas)}"
            : others.Count(s => s["flags"] == "sentinel") != Topology.Sentinels.Count - 1 || others.Count != Topology.Sentinels.Count - 1
                ? $"{sentinel.Name} sees Sentinels {Seen(others)}"
            : await AskAsync(sentinel, token, "SENTINEL", "CKQUORUM", name) is not string quorum
                || !quorum.StartsWith("OK", StringComparison.Ordinal)
                ? $"{sentinel.Name} has no quorum"
            : await IsInTiltAsync(sentinel, token) ? $"{sentinel.Name} is in TILT" : null;

        static string Seen(List<Dictionary<string, string>> instances) =>
            instances.Count == 0 ? "none" : string.Join(", ", instances.Select(i => $"{AddressOf(i)} as {i["flags"]}"));
    }

    /// <summary>Whether it does nothing but look, for 30 s, after its clock jumped or it did not run for 2 s.</summary>
    private async Task<bool> IsInTiltAsync(RedisNode sentinel, CancellationToken token) =>
        ((string)(await AskAsync(sentinel, token, "INFO", "sentinel"))!).Contains("sentinel_tilt:1", StringComparison.Ordinal);

    private async Task<RedisNodeReport?> TryReportAsync(RedisNode node, CancellationToken token)
    {
        try
        {
            return node.Role switch
            {
                RedisRole.Sentinel => await SentinelReportAsync(node, token),
                RedisRole.LockNode => await AskAsync(node, token, "PING") is "PONG" ? new() { IsPrimary = true } : null,
                _ => RedisNodeReport.OfServer((string)(await AskAsync(node, token, "INFO", "replication"))!),
            };
        }
        catch (IOException)
        {
            return null;
        }
    }

    private async Task<RedisNodeReport> SentinelReportAsync(RedisNode node, CancellationToken token)
    {
        if (IsRegion && ((object?[])(await AskAsync(node, token, "SENTINEL", "MASTERS"))!).Length == 0)
        {
            return new() { IsIdle = true };
        }

        var master = Fields(await AskAsync(node, token, "SENTINEL", "MASTER", Topology.Options.ServiceName));
        bool canFailOver;
        try
        {
            canFailOver = await AskAsync(node, token, "SENTINEL", "CKQUORUM", Topology.Options.ServiceName) is string
                && !await IsInTiltAsync(node, token);
        }
        catch (RespErrorException)
        {
            // NOQUORUM, with the reason.
            canFailOver = false;
        }

        return new()
        {
            Primary = AddressOf(master),
            PrimaryFlags = master["flags"],
            Quorum = int.Parse(master["quorum"], CultureInfo.InvariantCulture),
            OtherSentinels = int.Parse(master["num-other-sentinels"], CultureInfo.InvariantCulture),
            ConfigEpoch = long.Parse(master["config-epoch"], CultureInfo.InvariantCulture),
            CanFailOver = canFailOver,
        };
    }

    private async Task<(RedisAddress Address, long Epoch)?> MasterAccordingToAsync(RedisNode sentinel, CancellationToken token)
    {
        var name = Topology.Options.ServiceName;
        var master = Fields(await AskAsync(sentinel, token, "SENTINEL", "MASTER", name));
        // While it fails over, a Sentinel has the new epoch beside the old address; this command has the promoted one.
        var address = (object?[])(await AskAsync(sentinel, token, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name))!;
        return (new RedisAddress((string)address[0]!, int.Parse((string)address[1]!, CultureInfo.InvariantCulture)),
            long.Parse(master["config-epoch"], CultureInfo.InvariantCulture));
    }

    internal async Task<(RedisAddress Address, long Epoch)?> MasterItselfAsync(RedisNode server, CancellationToken token) =>
        await AskAsync(server, token, "ROLE") is object?[] and ["master", ..] ? (server.Address, 0) : null;

    private Task<object?> AskAsync(RedisNode node, CancellationToken token, params string[] command) =>
        RespConnection.OnceAsync(reachedAt?.Invoke(node) ?? node.Address, Topology.Options.Login, token, command);

    private static RedisAddress AddressOf(Dictionary<string, string> instance) =>
        new(instance["ip"], int.Parse(instance["port"], CultureInfo.InvariantCulture));

    private static Dictionary<string, string> Fields(object? reply) =>
        ((object?[])reply!).Chunk(2).ToDictionary(pair => (string)pair[0]!, pair => (string)pair[1]!);
}
