using AspireRedis.Chaos.Shop;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Switchover;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Faults;

/// <summary>Faults of a cluster. Each is for one of the shards.</summary>
internal sealed class ClusterFaultInjector(ShopUnderTest shop) : FaultInjector(shop)
{
    private const int SlotsToMove = 60;

    private LocalCluster Cluster => Shop.Cluster;

    protected override async Task<(RedisNode Primary, IReadOnlyList<RedisNode> Replicas)> ChooseAsync(
        Fault fault, CancellationToken cancellationToken)
    {
        var shards = Cluster.Topology.Nodes.GroupBy(RedisClusterTopology.ShardOf).ToArray();
        var nodes = shards[fault.Target % shards.Length];
        var reports = await new RedisClusterProbe(Cluster.Topology).ReportAsync(cancellationToken);
        var primary = RedisClusterProbe.PrimaryOf(nodes.Key, reports)
            ?? throw new InvalidOperationException("No primary of the shard answers.");
        return (primary, [.. nodes.Where(n => n != primary)]);
    }

    protected override async Task InjectOwnAsync(Fault fault, RedisNode primary, IReadOnlyList<RedisNode> replicas, FaultActions actions)
    {
        var others = Cluster.Topology.Nodes.Where(n => n != primary).ToArray();
        switch (fault.Kind)
        {
            case FaultKind.IsolatePrimary:
                await actions.CutAsync([primary.Name], others.Select(n => n.Name), primary.Name);
                break;
            case FaultKind.CutPrimaryFromMajority:
                await actions.CutAsync([primary.Name], others.Except(replicas).Select(n => n.Name), primary.Name);
                break;
            case FaultKind.LoseShard:
                await actions.KillAsync([primary, .. replicas]);
                break;
            case FaultKind.EmptyNode:
                var isPrimary = fault.Target / 3 % 2 == 0;
                await EmptyAsync(isPrimary ? primary : actions.Pick(replicas), isPrimary, actions);
                break;
            case FaultKind.MoveSlots:
                await MoveAsync(primary, await NextAsync(fault, actions), actions);
                break;
            case FaultKind.CutShortMove:
                await CutShortAsync(primary, await NextAsync(fault, actions), actions);
                break;
            case FaultKind.SwitchOver:
                actions.Target(primary.Name);
                var options = ConfigurationOptions.Parse(Cluster.Topology.PlainConnectionString);
                await new ClusterSwitchover(options, NullLogger<ClusterSwitchover>.Instance).RunAsync(
                    await KeyOfAsync(primary, actions.CancellationToken), cancellationToken: actions.CancellationToken);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault.Kind, null);
        }
    }

    private async Task<RedisNode> NextAsync(Fault fault, FaultActions actions)
        => (await ChooseAsync(fault with { Target = fault.Target + 1 }, actions.CancellationToken)).Primary;

    /// <summary>It comes back without its data and without what it knew of the others, as a machine that was set up anew.</summary>
    /// <remarks>
    /// A primary comes back when its replica has been promoted: at its address sooner, under another id, Redis 7.0.15 takes the old one
    /// for a node without an address, which it neither asks nor holds for failing, and the shard waits for a person.
    /// </remarks>
    private async Task EmptyAsync(RedisNode node, bool isPrimary, FaultActions actions)
    {
        actions.Target(node.Name);
        var control = Cluster.Control;
        var id = (string)(await control.ExecuteAsync(node, actions.CancellationToken, "CLUSTER", "MYID"))!;
        Cluster[node].Kill();
        RedisNode? primary = null;
        if (isPrimary)
        {
            await OtherPrimaryAsync();
        }
        foreach (var entry in new DirectoryInfo(Cluster[node].Directory).EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo folder)
            {
                folder.Delete(recursive: true);
            }
            else if (entry.Name is not ("redis.conf" or "redis.log"))
            {
                entry.Delete();
            }
        }
        await Cluster[node].StartAsync(cancellationToken: actions.CancellationToken);
        await actions.LastAsync();
        // As an operator would: the others forget who it was, and it follows the primary that its shard has by now.
        var others = Cluster.Topology.Nodes.Where(n => n != node).ToArray();
        await OtherPrimaryAsync();
        var primaryId = (string)(await control.ExecuteAsync(primary!, actions.CancellationToken, "CLUSTER", "MYID"))!;
        await Task.WhenAll(others.Select(async other =>
        {
            try
            {
                await control.ExecuteAsync(other, actions.CancellationToken, "CLUSTER", "FORGET", id);
            }
            catch (RespErrorException)
            {
                // It has forgotten it already.
            }
        }));
        await control.ExecuteAsync(others[0], actions.CancellationToken, "CLUSTER", "MEET", node.Host,
            $"{node.Port}", $"{Cluster.Topology.BusPortOf(node)}");
        await Poll.UntilAsync(
            async token => (await control.DescribeAsync(node, token)).Any(n => n.Id == primaryId && n.IsLinked)
                && await control.ExecuteAsync(node, token, "CLUSTER", "REPLICATE", primaryId) is "OK" ? null : "not yet",
            ShopUnderTest.RecoveryBound, $"{node.Name} follows {primary!.Name}", actions.CancellationToken);

        Task OtherPrimaryAsync() => Poll.UntilAsync(
            async token => (primary = await FindOtherPrimaryAsync(node, token)) is null ? "not yet" : null,
            ShopUnderTest.RecoveryBound, $"The shard of {node.Name} has another primary", actions.CancellationToken);
    }

    /// <summary>The primary of a node's shard that is not this node.</summary>
    private async Task<RedisNode?> FindOtherPrimaryAsync(RedisNode node, CancellationToken cancellationToken)
    {
        var reports = await new RedisClusterProbe(Cluster.Topology).ReportAsync(cancellationToken);
        return Cluster.Topology.Nodes.FirstOrDefault(n => n != node && RedisClusterTopology.ShardOf(n) == RedisClusterTopology.ShardOf(node)
            && reports[n] is { IsPrimary: true, Slots.Count: > 0 });
    }

    /// <summary>Slots of the shop's partitions, and empty ones, one after the other.</summary>
    private async Task MoveAsync(RedisNode from, RedisNode to, FaultActions actions)
    {
        var slots = await SlotsAsync(from, actions.CancellationToken);
        actions.Target($"{slots.Length} slots from {from.Name} to {to.Name}");
        foreach (var slot in slots)
        {
            await Cluster.MoveSlotAsync(slot, from, to, actions.CancellationToken);
        }
    }

    /// <summary>A slot is left where it was cut short, half here and half there; later the move is done.</summary>
    private async Task CutShortAsync(RedisNode from, RedisNode to, FaultActions actions)
    {
        var slot = -1;
        foreach (var candidate in await SlotsAsync(from, actions.CancellationToken))
        {
            if (await Cluster.Control.ExecuteAsync(from, actions.CancellationToken, "CLUSTER", "COUNTKEYSINSLOT", $"{candidate}") is long and > 1)
            {
                slot = candidate;
                break;
            }
        }
        if (slot < 0)
        {
            // Earlier faults have moved all that the shop has elsewhere.
            actions.Target($"nothing: {from.Name} has no slot with keys");
            return;
        }
        actions.Target($"slot {slot} from {from.Name} to {to.Name}");
        await Cluster.Control.MoveSlotAsync(slot, from, to, actions.CancellationToken, keys: 1);
        await actions.LastAsync();
        await Cluster.MoveSlotAsync(slot, from, to, actions.CancellationToken);
    }

    private async Task<int[]> SlotsAsync(RedisNode primary, CancellationToken cancellationToken)
    {
        var served = (await Cluster.Control.DescribeAsync(primary, cancellationToken)).First(n => n.IsSelf);
        var tags = Enumerable.Range(0, Shop.Partitions.Count)
            .SelectMany(i => new[] { Shop.Partitions.Orders.TagOf(i), Shop.Partitions.Products.TagOf(i) });
        return [.. tags.Select(tag => KeySlot.Of(tag)).Where(served.Serves)
            .Concat(served.Slots.SelectMany(r => Enumerable.Range(r.First, r.Count))).Distinct().Take(SlotsToMove)];
    }

    private async Task<RedisKey> KeyOfAsync(RedisNode primary, CancellationToken cancellationToken)
    {
        var served = (await Cluster.Control.DescribeAsync(primary, cancellationToken)).First(n => n.IsSelf);
        return KeySlot.AnyKey(served.Serves);
    }
}
