using System.Collections.Concurrent;

namespace AspireRedis.Inventory.Reservations;

/// <summary>
/// What this process has seen of the stocks. Whoever waits for the lease of a product learns at once that there is not enough
/// of it left, and need not wait for a refusal. Safe for concurrent use.
/// </summary>
internal sealed class StockWatch
{
    // What nobody waits for is kept in mind only when it is sold out or nearly, and not of more products than this.
    private const int Few = 10;
    private const int MaxProducts = 10_000;

    private readonly ConcurrentDictionary<string, Product> _products = new(StringComparer.Ordinal);

    /// <summary>Whether there were fewer when it was seen last. It may have been filled up since.</summary>
    public bool WasShort(string sku, int quantity) => _products.TryGetValue(sku, out var product) && product.Left < quantity;

    /// <summary>Notes what a script saw, and tells those who wait for more than that.</summary>
    public void Saw(string sku, int left)
    {
        if (left >= Few && !_products.ContainsKey(sku))
        {
            return;
        }
        var product = _products.GetOrAdd(sku, static _ => new Product());
        foreach (var wait in product.Note(left))
        {
            wait.TellShort();
        }
        Forget(sku, product);
    }

    /// <summary>Waits for a lease: <see cref="Wait.Token"/> is cancelled when fewer than <paramref name="quantity"/> are left.</summary>
    public Wait Begin(string sku, int quantity, CancellationToken cancellationToken)
    {
        while (true)
        {
            var product = _products.GetOrAdd(sku, static _ => new Product());
            var wait = new Wait(this, sku, product, quantity, cancellationToken);
            if (product.TryAdd(wait))
            {
                return wait;
            }
            wait.Dispose();
        }
    }

    private void Forget(string sku, Product product)
    {
        // To count takes all locks; few products get that far.
        if (product.TryClose(any: false) || (_products.Count > MaxProducts && product.TryClose(any: true)))
        {
            _products.TryRemove(new KeyValuePair<string, Product>(sku, product));
        }
    }

    /// <summary>One who waits.</summary>
    public sealed class Wait : IDisposable
    {
        private readonly StockWatch _watch;
        private readonly string _sku;
        private readonly Product _product;
        private readonly CancellationTokenSource _ended;
        private volatile bool _short;

        internal Wait(StockWatch watch, string sku, Product product, int quantity, CancellationToken cancellationToken)
        {
            (_watch, _sku, _product, Quantity) = (watch, sku, product, quantity);
            _ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        }

        public int Quantity { get; }

        public CancellationToken Token => _ended.Token;

        /// <summary>Whether there were not enough left.</summary>
        public bool IsShort => _short;

        public void TellShort()
        {
            _short = true;
            try
            {
                // Not on this thread, which has a lease to give back.
                _ = _ended.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has its lease.
            }
        }

        public void Dispose()
        {
            _product.Remove(this);
            _watch.Forget(_sku, _product);
            _ended.Dispose();
        }
    }

    internal sealed class Product
    {
        private readonly HashSet<Wait> _waits = [];
        private bool _closed;
        private volatile int _left = int.MaxValue;

        public int Left => _left;

        public bool TryAdd(Wait wait)
        {
            lock (_waits)
            {
                return !_closed && _waits.Add(wait);
            }
        }

        public void Remove(Wait wait)
        {
            lock (_waits)
            {
                _waits.Remove(wait);
            }
        }

        public Wait[] Note(int left)
        {
            lock (_waits)
            {
                _left = left;
                return _waits.Count == 0 ? [] : [.. _waits.Where(w => w.Quantity > left)];
            }
        }

        public bool TryClose(bool any)
        {
            lock (_waits)
            {
                return _closed = _waits.Count == 0 && (any || _left >= Few);
            }
        }
    }
}
