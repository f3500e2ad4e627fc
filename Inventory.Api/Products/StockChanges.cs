using System.Collections.Concurrent;
using System.Threading.Channels;

namespace AspireRedis.Inventory.Products;

/// <summary>Products whose stock this process has changed, until somebody tells of it. Each is in it once.</summary>
internal sealed class StockChanges
{
    private readonly ConcurrentDictionary<string, bool> _pending = new(StringComparer.Ordinal);
    private readonly Channel<string> _skus = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Call it when the change is written.</summary>
    public void Add(string sku)
    {
        if (_pending.TryAdd(sku, true))
        {
            _skus.Writer.TryWrite(sku);
        }
    }

    /// <summary>Until there is one.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken) => await _skus.Reader.WaitToReadAsync(cancellationToken);

    /// <summary>Takes all there are. Changes from now on count anew.</summary>
    public IReadOnlyList<string> Take()
    {
        List<string> skus = [];
        while (_skus.Reader.TryRead(out var sku))
        {
            _pending.TryRemove(sku, out _);
            skus.Add(sku);
        }
        return skus;
    }
}
