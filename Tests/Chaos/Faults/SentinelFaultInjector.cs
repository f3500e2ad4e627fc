using AspireRedis.Chaos.Shop;
using AspireRedis.Coordination.Switchover;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Faults;

/// <summary>Faults of a primary that Sentinels watch.</summary>
internal sealed class SentinelFaultInjector(ShopUnderTest shop, Func<DateTimeOffset, CancellationToken, Task> untilOrdersAreTaken)
    : FaultInjector(shop)
{
    // Sentinel demotes an old primary about 8 s after it came back.
    private static readonly TimeSpan s_awake = TimeSpan.FromSeconds(4);

    private LocalRedis Redis => Shop.Redis;

    protected override async Task<(RedisNode Primary, IReadOnlyList<RedisNode> Replicas)> ChooseAsync(
        Fault fault, CancellationToken cancellationToken)
    {
        var primary = await Redis.CurrentPrimaryAsync(cancellationToken);
        return (primary, [.. Redis.Topology.Servers.Where(n => n != primary)]);
    }

    protected override async Task InjectOwnAsync(Fault fault, RedisNode primary, IReadOnlyList<RedisNode> replicas, FaultActions actions)
    {
        var sentinels = Redis.Topology.Sentinels;
        var sentinel = actions.Pick(sentinels);
        switch (fault.Kind)
        {
            case FaultKind.KillSentinel:
                await actions.KillAsync([sentinel]);
                break;
            case FaultKind.FreezePrimaryUnseen:
                using (Shop.Network.Cut(Shop.Services.Select(s => s.Name), sentinels.Select(s => s.Name)))
                {
                    await actions.FreezeAsync([primary]);
                    // As long as it takes it for the primary, and somewhat longer than its clients gave up.
                    await Task.Delay(s_awake, actions.CancellationToken);
                }
                break;
            case FaultKind.FreezeSentinel:
                await actions.FreezeAsync([sentinel]);
                break;
            case FaultKind.IsolatePrimary:
                await actions.CutAsync([primary.Name], replicas.Concat(sentinels).Select(n => n.Name), primary.Name);
                break;
            case FaultKind.CutPrimaryFromSentinels:
                await actions.CutAsync([primary.Name], sentinels.Select(n => n.Name), primary.Name);
                break;
            case FaultKind.CutSentinel:
                await actions.CutAsync([sentinel.Name], Shop.AllNames.Where(n => n != sentinel.Name), sentinel.Name);
                break;
            case FaultKind.ClockBehind or FaultKind.ClockBehindNaiveConsumer:
                actions.Target(primary.Name);
                var clock = await ClockBehind.BeginAsync(Redis.Topology, primary, Shop.Partitions,
                    naive: fault.Kind == FaultKind.ClockBehindNaiveConsumer);
                await actions.LastAsync();
                Redis[primary].Kill();
                await clock.GoOnAsync(Redis.WaitForPrimaryOtherThanAsync(primary, cancellationToken: actions.CancellationToken));
                break;
            case FaultKind.ReplaceSentinels or FaultKind.ReplaceSentinelsWithoutReset:
                await ReplaceSentinelsAsync(fault.Kind == FaultKind.ReplaceSentinels, actions.Pick(replicas), actions);
                break;
            case FaultKind.SwitchOver:
                actions.Target(primary.Name);
                var switchover = new PlannedSwitchover(ConfigurationOptions.Parse(Redis.Topology.ConnectionString),
                    NullLogger<PlannedSwitchover>.Instance);
                await switchover.RunAsync(cancellationToken: actions.CancellationToken);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault.Kind, null);
        }
    }

    private async Task ReplaceSentinelsAsync(bool reset, RedisNode replica, FaultActions actions)
    {
        actions.Target($"the Sentinels, then {replica.Name}");
        await Shop.ReplaceSentinelsAsync(reset, actions.CancellationToken);
        Redis[replica].Kill();
        try
        {
            await untilOrdersAreTaken(TimeProvider.System.GetUtcNow(), actions.CancellationToken);
        }
        finally
        {
            await Shop.StartMissingAsync(actions.CancellationToken);
        }
    }
}
