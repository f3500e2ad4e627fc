using AspireRedis.Chaos.Shop;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Faults;

/// <summary>Injects faults into the system and ends them: those that any servers can have.</summary>
/// <param name="shop">The system.</param>
internal abstract class FaultInjector(ShopUnderTest shop)
{
    protected ShopUnderTest Shop => shop;

    /// <param name="shop">The system.</param>
    /// <param name="untilOrdersAreTaken">Waits until each instance has taken an order since a moment, with a bound.</param>
    public static FaultInjector Of(ShopUnderTest shop, Func<DateTimeOffset, CancellationToken, Task> untilOrdersAreTaken)
        => shop.IsCluster ? new ClusterFaultInjector(shop) : new SentinelFaultInjector(shop, untilOrdersAreTaken);

    /// <summary>Injects one fault for its duration, and undoes it.</summary>
    /// <param name="fault">What to do.</param>
    /// <param name="onTarget">Called when it is known to whom it happens.</param>
    /// <param name="cancellationToken">Ends it early; it is undone all the same.</param>
    /// <exception cref="TimeoutException">What must go on during the fault did not.</exception>
    public async Task InjectAsync(Fault fault, Action<string> onTarget, CancellationToken cancellationToken)
    {
        var actions = new FaultActions(shop, fault, onTarget, cancellationToken);
        var (primary, replicas) = await ChooseAsync(fault, cancellationToken);
        var replica = actions.Pick(replicas);
        var service = actions.Pick(shop.Services);
        switch (fault.Kind)
        {
            case FaultKind.KillPrimary:
                await actions.KillAsync([primary]);
                break;
            case FaultKind.KillReplica:
                await actions.KillAsync([replica]);
                break;
            case FaultKind.RestartAllNodes:
                await actions.KillAsync(shop.Servers.Nodes);
                break;
            case FaultKind.FreezePrimary:
                await actions.FreezeAsync([primary]);
                break;
            case FaultKind.FreezeReplica:
                await actions.FreezeAsync([replica]);
                break;
            case FaultKind.FreezeReplicas:
                await actions.FreezeAsync(replicas);
                break;
            case FaultKind.FillPrimaryDisk:
                await actions.FillDiskAsync(primary);
                break;
            case FaultKind.FillReplicaDisk:
                await actions.FillDiskAsync(replica);
                break;
            case FaultKind.CutReplica:
                await actions.CutAsync([replica.Name], shop.AllNames.Where(n => n != replica.Name), replica.Name);
                break;
            case FaultKind.CutServiceFromPrimary:
                await actions.CutAsync([service.Name], [primary.Name], $"{service.Name} from {primary.Name}");
                break;
            case FaultKind.CutServiceFromService:
                var orders = actions.Pick(shop.Orders);
                var inventory = shop.Inventory[fault.Target / shop.Orders.Count % shop.Inventory.Count];
                await actions.CutAsync([orders.Name], [inventory.Name], $"{orders.Name} from {inventory.Name}");
                break;
            case FaultKind.KillService:
                onTarget(service.Name);
                service.Kill();
                await actions.LastAsync();
                break;
            case FaultKind.FreezeService:
                await actions.FreezeAsync(service);
                break;
            default:
                await InjectOwnAsync(fault, primary, replicas, actions);
                break;
        }
        await shop.StartMissingAsync(cancellationToken);
    }

    /// <summary>Who is a primary at this moment, the one that a fault is for where there are several, and who follows it.</summary>
    protected abstract Task<(RedisNode Primary, IReadOnlyList<RedisNode> Replicas)> ChooseAsync(
        Fault fault, CancellationToken cancellationToken);

    /// <summary>What only these servers can have.</summary>
    protected abstract Task InjectOwnAsync(Fault fault, RedisNode primary, IReadOnlyList<RedisNode> replicas, FaultActions actions);
}
