using AspireRedis.Chaos.Shop;
using AspireRedis.Coordination.Switchover;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Faults;

/// <summary>Injects faults into the system and ends them.</summary>
/// <param name="shop">The system.</param>
/// <param name="untilOrdersAreTaken">Waits until each instance has taken an order since a moment, with a bound.</param>
internal sealed class FaultInjector(ShopUnderTest shop, Func<DateTimeOffset, CancellationToken, Task> untilOrdersAreTaken)
{
    // Sentinel demotes an old primary about 8 s after it came back.
    private static readonly TimeSpan s_awake = TimeSpan.FromSeconds(4);

    private LocalRedis Redis => shop.Redis;

    /// <summary>Injects one fault for its duration, and undoes it.</summary>
    /// <param name="fault">What to do.</param>
    /// <param name="onTarget">Called when it is known to whom it happens.</param>
    /// <param name="cancellationToken">Ends it early; it is undone all the same.</param>
    /// <exception cref="TimeoutException">What must go on during the fault did not.</exception>
    public async Task InjectAsync(Fault fault, Action<string> onTarget, CancellationToken cancellationToken)
    {
        var primary = await Redis.CurrentPrimaryAsync(cancellationToken);
        var replicas = Redis.Topology.Servers.Where(n => n != primary).ToArray();
        var replica = Pick(replicas, fault.Target);
        var sentinel = Pick(Redis.Topology.Sentinels, fault.Target);
        var service = Pick(shop.Services, fault.Target);
        switch (fault.Kind)
        {
            case FaultKind.KillPrimary:
                await KillAsync([primary]);
                break;
            case FaultKind.KillReplica:
                await KillAsync([replica]);
                break;
            case FaultKind.KillSentinel:
                await KillAsync([sentinel]);
                break;
            case FaultKind.RestartAllNodes:
                await KillAsync(Redis.Topology.Nodes);
                break;
            case FaultKind.FreezePrimary:
                await FreezeAsync([primary]);
                break;
            case FaultKind.FreezePrimaryUnseen:
                using (shop.Network.Cut(shop.Services.Select(s => s.Name), Redis.Topology.Sentinels.Select(s => s.Name)))
                {
                    await FreezeAsync([primary]);
                    // As long as it takes it for the primary, and somewhat longer than its clients gave up.
                    await Task.Delay(s_awake, cancellationToken);
                }
                break;
            case FaultKind.FreezeReplica:
                await FreezeAsync([replica]);
                break;
            case FaultKind.FreezeReplicas:
                await FreezeAsync(replicas);
                break;
            case FaultKind.FreezeSentinel:
                await FreezeAsync([sentinel]);
                break;
            case FaultKind.FillPrimaryDisk:
                await FillDiskAsync(primary);
                break;
            case FaultKind.FillReplicaDisk:
                await FillDiskAsync(replica);
                break;
            case FaultKind.IsolatePrimary:
                await CutAsync([primary.Name], replicas.Concat(Redis.Topology.Sentinels).Select(n => n.Name), primary.Name);
                break;
            case FaultKind.CutPrimaryFromSentinels:
                await CutAsync([primary.Name], Redis.Topology.Sentinels.Select(n => n.Name), primary.Name);
                break;
            case FaultKind.CutReplica:
                await CutAsync([replica.Name], shop.AllNames.Where(n => n != replica.Name), replica.Name);
                break;
            case FaultKind.CutSentinel:
                await CutAsync([sentinel.Name], shop.AllNames.Where(n => n != sentinel.Name), sentinel.Name);
                break;
            case FaultKind.CutServiceFromPrimary:
                await CutAsync([service.Name], [primary.Name], $"{service.Name} from {primary.Name}");
                break;
            case FaultKind.CutServiceFromService:
                var orders = Pick(shop.Orders, fault.Target);
                var inventory = Pick(shop.Inventory, fault.Target / shop.Orders.Count);
                await CutAsync([orders.Name], [inventory.Name], $"{orders.Name} from {inventory.Name}");
                break;
            case FaultKind.KillService:
                onTarget(service.Name);
                service.Kill();
                await LastAsync();
                break;
            case FaultKind.FreezeService:
                onTarget(service.Name);
                service.Freeze();
                try
                {
                    await LastAsync();
                }
                finally
                {
                    service.Thaw();
                }
                break;
            case FaultKind.ClockBehind or FaultKind.ClockBehindNaiveConsumer:
                onTarget(primary.Name);
                var clock = await ClockBehind.BeginAsync(Redis.Topology, primary, shop.Partitions,
                    naive: fault.Kind == FaultKind.ClockBehindNaiveConsumer);
                await LastAsync();
                Redis[primary].Kill();
                await clock.GoOnAsync(Redis.WaitForPrimaryOtherThanAsync(primary, cancellationToken: cancellationToken));
                break;
            case FaultKind.ReplaceSentinels or FaultKind.ReplaceSentinelsWithoutReset:
                onTarget($"the Sentinels, then {replica.Name}");
                await shop.ReplaceSentinelsAsync(reset: fault.Kind == FaultKind.ReplaceSentinels, cancellationToken);
                Redis[replica].Kill();
                try
                {
                    await untilOrdersAreTaken(TimeProvider.System.GetUtcNow(), cancellationToken);
                }
                finally
                {
                    await shop.StartMissingAsync(cancellationToken);
                }
                break;
            case FaultKind.SwitchOver:
                onTarget(primary.Name);
                var switchover = new PlannedSwitchover(ConfigurationOptions.Parse(Redis.Topology.ConnectionString),
                    NullLogger<PlannedSwitchover>.Instance);
                await switchover.RunAsync(cancellationToken: cancellationToken);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault.Kind, null);
        }

        await shop.StartMissingAsync(cancellationToken);

        Task LastAsync() => Task.Delay(fault.Duration, cancellationToken);

        async Task KillAsync(IReadOnlyList<RedisNode> nodes)
        {
            onTarget(string.Join(", ", nodes.Select(n => n.Name)));
            // At once, as far as that goes.
            await Task.WhenAll(nodes.Select(n => Task.Run(Redis[n].Kill, CancellationToken.None)));
            await LastAsync();
        }

        async Task FreezeAsync(IReadOnlyList<RedisNode> nodes)
        {
            onTarget(string.Join(", ", nodes.Select(n => n.Name)));
            foreach (var node in nodes)
            {
                Redis[node].Freeze();
            }
            try
            {
                await LastAsync();
            }
            finally
            {
                foreach (var node in nodes)
                {
                    Redis[node].Thaw();
                }
            }
        }

        async Task FillDiskAsync(RedisNode node)
        {
            onTarget(node.Name);
            var process = Redis[node].ProcessId;
            DiskLimit.Fill(process);
            try
            {
                await LastAsync();
            }
            finally
            {
                DiskLimit.Free(process);
            }
        }

        async Task CutAsync(IEnumerable<string> oneSide, IEnumerable<string> otherSide, string target)
        {
            onTarget(target);
            using (shop.Network.Cut(oneSide, otherSide))
            {
                await LastAsync();
            }
        }
    }

    private static T Pick<T>(IReadOnlyList<T> from, int target) => from[target % from.Count];
}
