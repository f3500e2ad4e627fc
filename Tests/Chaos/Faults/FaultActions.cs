using AspireRedis.Chaos.Shop;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Faults;

/// <summary>What can be done to processes and links for as long as one fault lasts.</summary>
/// <param name="shop">The system.</param>
/// <param name="fault">The fault.</param>
/// <param name="onTarget">Called when it is known to whom it happens.</param>
/// <param name="cancellationToken">Ends it early; it is undone all the same.</param>
internal sealed class FaultActions(ShopUnderTest shop, Fault fault, Action<string> onTarget, CancellationToken cancellationToken)
{
    public CancellationToken CancellationToken => cancellationToken;

    public void Target(string target) => onTarget(target);

    public void Target(IEnumerable<RedisNode> nodes) => onTarget(string.Join(", ", nodes.Select(n => n.Name)));

    public T Pick<T>(IReadOnlyList<T> from) => from[fault.Target % from.Count];

    public Task LastAsync() => Task.Delay(fault.Duration, cancellationToken);

    public async Task KillAsync(IReadOnlyList<RedisNode> nodes)
    {
        Target(nodes);
        // At once, as far as that goes.
        await Task.WhenAll(nodes.Select(n => Task.Run(shop.Servers[n].Kill, CancellationToken.None)));
        await LastAsync();
    }

    public async Task FreezeAsync(IReadOnlyList<RedisNode> nodes)
    {
        Target(nodes);
        foreach (var node in nodes)
        {
            shop.Servers[node].Freeze();
        }
        await LastAsync(() =>
        {
            foreach (var node in nodes)
            {
                shop.Servers[node].Thaw();
            }
        });
    }

    public async Task FreezeAsync(ServiceInstance service)
    {
        onTarget(service.Name);
        service.Freeze();
        await LastAsync(service.Thaw);
    }

    public async Task FillDiskAsync(RedisNode node)
    {
        onTarget(node.Name);
        var process = shop.Servers[node].ProcessId;
        DiskLimit.Fill(process);
        await LastAsync(() => DiskLimit.Free(process));
    }

    public async Task CutAsync(IEnumerable<string> oneSide, IEnumerable<string> otherSide, string target)
    {
        onTarget(target);
        using (shop.Network.Cut(oneSide, otherSide))
        {
            await LastAsync();
        }
    }

    /// <summary>Ends the fault also when the run is cancelled.</summary>
    private async Task LastAsync(Action end)
    {
        try
        {
            await LastAsync();
        }
        finally
        {
            end();
        }
    }
}
