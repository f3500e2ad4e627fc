using System.Globalization;
using System.Text;

namespace AspireRedis.Topology;

/// <summary>
/// Makes a cluster of nodes that run, tells how it is, and moves slots. Everything can be done again after it was cut short. Safe for
/// concurrent use, but two that form the same cluster, or move slots of it, get in each other's way.
/// </summary>
/// <param name="topology">The nodes.</param>
/// <param name="reachedAt">Where this process reaches a node, if not at its own address; null for there.</param>
#pragma warning disable CA1001 // A semaphore of which nobody asks for the wait handle holds nothing.
internal sealed class RedisClusterControl(RedisClusterTopology topology, Func<RedisNode, RedisAddress>? reachedAt = null)
#pragma warning restore CA1001
{
    // So many keys go at a time: the node does nothing else meanwhile.
    private const int KeysAtATime = 100;
    private const int SlotsAtATime = 8;
    private const int SlotsOfAReport = 100;

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    // Without a byte for so long the node gives MIGRATE up; it does nothing else until then, and is not to be taken for dead.
    private static readonly TimeSpan s_migrationIdle = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_migration = TimeSpan.FromSeconds(60);
    private const int Migrations = 10;

    private readonly SemaphoreSlim _moving = new(1);

    /// <summary>
    /// Gives the slots to the primaries, has all nodes meet, and the replicas follow; a cluster that is formed is left as it is. Returns
    /// when <see cref="MissingAsync"/> misses nothing.
    /// </summary>
    /// <param name="bound">How long it may take.</param>
    /// <param name="cancellationToken">Ends it; what was done stays.</param>
    /// <exception cref="IOException">A node does not answer.</exception>
    /// <exception cref="TimeoutException">It did not become whole in time; the message says what is missing.</exception>
    public async Task FormAsync(TimeSpan bound, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(bound);
        var missing = "nothing was asked";
        try
        {
            var first = topology.Nodes[0];
            var views = new List<IReadOnlyList<RedisClusterNodeReport>>();
            foreach (var node in topology.Nodes)
            {
                views.Add(await DescribeAsync(node, deadline.Token));
            }
            if (!views.Exists(v => v.Count > 1))
            {
                await AssignAsync(views, deadline.Token);
            }
            missing = "the nodes have not all met";
            foreach (var node in topology.Nodes.Skip(1).Where(n => !Knows(views[0], n)))
            {
                await ExecuteAsync(first, deadline.Token, "CLUSTER", "MEET", node.Host, Text(node.Port), Text(topology.BusPortOf(node)));
            }
            foreach (var node in topology.Nodes)
            {
                while ((await DescribeAsync(node, deadline.Token)) is var view
                    && (view.Count < topology.Nodes.Count || view.Any(n => n.Flags.Contains("handshake", StringComparison.Ordinal))))
                {
                    await Task.Delay(s_look, deadline.Token);
                }
            }
            var known = await DescribeAsync(first, deadline.Token);
            foreach (var replica in topology.Nodes.Where(n => topology.PrimaryOf(n) is not null))
            {
                var self = known.First(n => n.Address == replica.Address);
                var primary = known.First(n => n.Address == topology.PrimaryOf(replica)!.Address);
                // One that has been promoted, or a primary that follows another one since, stays as it is.
                if (self is { IsPrimary: true, Slots.Count: 0 } && primary.IsPrimary
                    && (primary.Slots.Count > 0 || topology.Spares.Contains(topology.PrimaryOf(replica))))
                {
                    await ExecuteAsync(replica, deadline.Token, "CLUSTER", "REPLICATE", primary.Id);
                }
            }
            while ((missing = await MissingAsync(deadline.Token)) is not null)
            {
                await Task.Delay(s_look, deadline.Token);
            }
        }
        catch (Exception e) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The cluster is not whole within {bound.TotalSeconds:0.0} s: {missing}.", e);
        }
    }

    /// <summary>
    /// Null when every slot is served, every node sees all others and agrees with the rest, and every replica is in sync; else what is
    /// missing.
    /// </summary>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="IOException">A node does not answer.</exception>
    public async Task<string?> MissingAsync(CancellationToken cancellationToken)
    {
        string? agreed = null;
        foreach (var node in topology.Nodes)
        {
            var view = await DescribeAsync(node, cancellationToken);
            if (topology.Nodes.FirstOrDefault(n => !Knows(view, n)) is { } unknown)
            {
                return $"{node.Name} does not know {unknown.Name}";
            }
            if (view.FirstOrDefault(n => n.IsFailing || !n.IsLinked) is { } failing)
            {
                return $"{node.Name} says of {failing.Address} '{failing.Flags}', {(failing.IsLinked ? "linked" : "not linked")}";
            }
            var slots = view.Where(n => n.IsPrimary).Sum(n => n.Slots.Sum(r => r.Count));
            if (slots != RedisClusterTopology.SlotCount)
            {
                return $"{node.Name} knows who serves {slots} of {RedisClusterTopology.SlotCount} slots";
            }
            var roles = string.Join(';', view
                .Select(n => $"{n.Id} {n.PrimaryId} {string.Join(',', n.Slots)}").Order(StringComparer.Ordinal));
            if (roles != (agreed ??= roles))
            {
                return $"{node.Name} and {topology.Nodes[0].Name} do not agree";
            }
            if (!((string)(await ExecuteAsync(node, cancellationToken, "CLUSTER", "INFO"))!)
                .Contains("cluster_state:ok", StringComparison.Ordinal))
            {
                return $"{node.Name} says that the cluster is not ok";
            }
            var role = (object?[])(await ExecuteAsync(node, cancellationToken, "ROLE"))!;
            if (role[0] is "slave" && role[3] is not "connected")
            {
                return $"{node.Name} is not in sync: {role[3]}";
            }
            if (role[0] is "master" && view.First(n => n.IsSelf).Id is var id && view.Count(n => n.PrimaryId == id) is var replicas
                && ((object?[])role[2]!).Length < replicas)
            {
                return $"{node.Name} has {((object?[])role[2]!).Length} of {replicas} replicas";
            }
        }
        return null;
    }

    /// <summary>What a node says of all nodes.</summary>
    /// <param name="node">Who is asked.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="IOException">It does not answer.</exception>
    public async Task<IReadOnlyList<RedisClusterNodeReport>> DescribeAsync(RedisNode node, CancellationToken cancellationToken)
        => RedisClusterNodeReport.ParseAll((string)(await ExecuteAsync(node, cancellationToken, "CLUSTER", "NODES"))!, node.Address);

    /// <summary>The primary of a slot, by the highest configuration epoch that any node that answers knows.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="InvalidOperationException">None that answers knows of one.</exception>
    public async Task<RedisNode> PrimaryOfAsync(int slot, CancellationToken cancellationToken)
    {
        var views = await Task.WhenAll(topology.Nodes.Select(async node =>
        {
            try
            {
                return await DescribeAsync(node, cancellationToken);
            }
            catch (IOException)
            {
                return [];
            }
        }));
        var owner = views.SelectMany(v => v).Where(n => n.IsPrimary && n.Serves(slot)).MaxBy(n => n.Epoch)
            ?? throw new InvalidOperationException($"No node knows who serves slot {slot}.");
        return topology.NodeAt(owner.Address) ?? throw new InvalidOperationException($"{owner.Address} is no node of the topology.");
    }

    /// <summary>
    /// Moves a slot with its keys to another primary, as <c>redis-cli --cluster reshard</c> does: both know that it is being moved, keys
    /// go some at a time, and the new one is told first that it is its own.
    /// </summary>
    /// <param name="slot">The slot.</param>
    /// <param name="from">The primary that serves it.</param>
    /// <param name="to">The primary that will.</param>
    /// <param name="cancellationToken">Ends it; a slot whose move was cut short is moved by the same call again.</param>
    /// <param name="keys">How many keys go at most; fewer than there are leave the slot as a move does that was cut short. Null for all.</param>
    /// <exception cref="IOException">A node does not answer.</exception>
    public async Task MoveSlotAsync(int slot, RedisNode from, RedisNode to, CancellationToken cancellationToken, int? keys = null)
    {
        using var source = await OpenAsync(from, cancellationToken);
        using var target = await OpenAsync(to, cancellationToken);
        var (sourceId, targetId) = ((string)(await source.ExecuteAsync(cancellationToken, "CLUSTER", "MYID"))!,
            (string)(await target.ExecuteAsync(cancellationToken, "CLUSTER", "MYID"))!);
        await target.ExecuteAsync(cancellationToken, "CLUSTER", "SETSLOT", Text(slot), "IMPORTING", sourceId);
        await source.ExecuteAsync(cancellationToken, "CLUSTER", "SETSLOT", Text(slot), "MIGRATING", targetId);
        // A key may be any bytes.
        source.Encoding = Encoding.Latin1;
        string[] login = topology.Options.Password is { } password ? ["AUTH", password] : [];
        var left = keys ?? int.MaxValue;
        while ((object?[])(await source.ExecuteAsync(
            cancellationToken, "CLUSTER", "GETKEYSINSLOT", Text(slot), Text(Math.Min(left, KeysAtATime))))!
            is { Length: > 0 } some)
        {
            await MigrateAsync(source, ["MIGRATE", to.Host, Text(to.Port), "", "0",
                Text((int)s_migrationIdle.TotalMilliseconds), "REPLACE", .. login, "KEYS", .. some.Cast<string>()], cancellationToken);
            left -= some.Length;
            if (left <= 0)
            {
                return;
            }
        }
        // The target takes a new epoch. A source that does so at this moment, as the target of another slot, would claim this one anew.
        await _moving.WaitAsync(cancellationToken);
        try
        {
            await target.ExecuteAsync(cancellationToken, "CLUSTER", "SETSLOT", Text(slot), "NODE", targetId);
            await source.ExecuteAsync(cancellationToken, "CLUSTER", "SETSLOT", Text(slot), "NODE", targetId);
        }
        finally
        {
            _moving.Release();
        }
    }

    /// <summary>Moves slots, several at a time: the nodes keep each step on disk.</summary>
    /// <param name="moves">Which slot goes from where to where.</param>
    /// <param name="progress">Hears of each hundred.</param>
    /// <param name="cancellationToken">Ends it, between two steps of a slot.</param>
    /// <returns>How many slots were moved.</returns>
    /// <exception cref="IOException">A node does not answer.</exception>
    public async Task<int> MoveSlotsAsync(
        IEnumerable<(int Slot, RedisNode From, RedisNode To)> moves, Action<int> progress, CancellationToken cancellationToken)
    {
        var moved = 0;
        var several = new ParallelOptions { MaxDegreeOfParallelism = SlotsAtATime, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(moves, several, async (move, token) =>
        {
            await MoveSlotAsync(move.Slot, move.From, move.To, token);
            if (Interlocked.Increment(ref moved) is var count && count % SlotsOfAReport == 0)
            {
                progress(count);
            }
        });
        return moved;
    }

    /// <summary>
    /// A node that sends keys does nothing else, so nodes that send each other some at the same time wait for one another until both give
    /// up. One of this control's sends at a time; when another operator is in the way it is tried again, as REPLACE allows.
    /// </summary>
    private async Task MigrateAsync(RespConnection source, string[] command, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            await _moving.WaitAsync(cancellationToken);
            try
            {
                await source.ExecuteAsync(s_migration, cancellationToken, command);
                return;
            }
            catch (RespErrorException e) when (e.Message.StartsWith("IOERR", StringComparison.Ordinal) && tries < Migrations)
            {
            }
            finally
            {
                _moving.Release();
            }
            await Task.Delay(s_look * (1 + Random.Shared.NextDouble()), cancellationToken);
        }
    }

    /// <summary>Runs one command at a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="command">The command.</param>
    /// <exception cref="IOException">It does not answer.</exception>
    public Task<object?> ExecuteAsync(RedisNode node, CancellationToken cancellationToken, params string[] command)
        => RespConnection.OnceAsync(Reach(node), topology.Options.Login, cancellationToken, command);

    private Task<RespConnection> OpenAsync(RedisNode node, CancellationToken cancellationToken)
        => RespConnection.ConnectAsync(Reach(node), topology.Options.Login, cancellationToken);

    private RedisAddress Reach(RedisNode node) => reachedAt?.Invoke(node) ?? node.Address;

    /// <summary>Each primary has an epoch of its own from the beginning, so that none has to be found out.</summary>
    private async Task AssignAsync(List<IReadOnlyList<RedisClusterNodeReport>> views, CancellationToken cancellationToken)
    {
        foreach (var (i, primary) in topology.Primaries.Concat(topology.Spares).Index())
        {
            var self = views[i].First(n => n.IsSelf);
            if (self.Epoch == 0)
            {
                await ExecuteAsync(primary, cancellationToken, "CLUSTER", "SET-CONFIG-EPOCH", Text(i + 1));
            }
            if (self.Slots.Count == 0 && i < topology.Primaries.Count)
            {
                var slots = topology.SlotsOf(primary);
                await ExecuteAsync(primary, cancellationToken, "CLUSTER", "ADDSLOTSRANGE", Text(slots.First), Text(slots.Last));
            }
        }
    }

    private static bool Knows(IReadOnlyList<RedisClusterNodeReport> view, RedisNode node) => view.Any(n => n.Address == node.Address);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
