using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Topology;
using MimeKit;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Checking;

/// <summary>Reads what is stored: at the primary, past the services, and in the pickup folder.</summary>
internal sealed class StateReader : IAsyncDisposable
{
    private const int PageSize = 1000;

    // Of an order.
    private const int IdLength = 32;

    private readonly ConnectionMultiplexer _connection;

    private readonly ShopPartitions _partitions;

    private StateReader(ConnectionMultiplexer connection, ShopPartitions partitions)
        => (_connection, _partitions) = (connection, partitions);

    private IDatabase Database => _connection.GetDatabase();

    /// <param name="topology">The servers.</param>
    /// <param name="primary">Which is the primary.</param>
    /// <param name="partitions">How the shop divides its keys; null for one partition.</param>
    public static Task<StateReader> ConnectAsync(RedisTopology topology, RedisNode primary, ShopPartitions? partitions = null)
        => ConnectAsync(ConfigurationOptions.Parse(topology.ConnectionStringOf(primary)), partitions);

    /// <param name="options">Names the primary alone, or the nodes of a cluster, and is changed.</param>
    /// <param name="partitions">How the shop divides its keys; null for one partition.</param>
    public static async Task<StateReader> ConnectAsync(ConfigurationOptions options, ShopPartitions? partitions = null)
    {
        options.AsyncTimeout = 30_000;
        return new StateReader(await ConnectionMultiplexer.ConnectAsync(options), partitions ?? new ShopPartitions(1));
    }

    /// <returns>Null when every event is handled and every reservation has ended or become an order, else what is not.</returns>
    public async Task<string?> UnsettledAsync()
    {
        foreach (var stream in _partitions.Streams)
        {
            // Not the lag: a promoted replica has counted less than was read, and then reports one for ever.
            var last = (await Database.StreamInfoAsync(stream)).LastGeneratedId;
            foreach (var group in await Database.StreamGroupInfoAsync(stream))
            {
                if (group.PendingMessageCount > 0 || group.LastDeliveredId != last)
                {
                    return $"group {group.Name} of {stream}: {group.PendingMessageCount} pending, read up to {group.LastDeliveredId} of {last}";
                }
            }
            if (await Database.KeyExistsAsync($"{stream}:dead"))
            {
                return $"{stream}:dead has {await Database.StreamLengthAsync($"{stream}:dead")} entries";
            }
        }
        var open = 0L;
        for (var i = 0; i < _partitions.Count; i++)
        {
            open += await Database.SortedSetLengthAsync(ShopPartitions.KeyIn("reservation_deadlines", _partitions.Products, i));
        }
        return open > 0 ? $"{open} reservations have a deadline" : null;
    }

    public async Task<IReadOnlyList<StoredOrder>> OrdersAsync()
        => await ReadAsync(_partitions.Count == 1 ? "order:{*}" : "order:{orders:*}:" + new string('?', IdLength), async key =>
        {
            var fields = (await Database.HashGetAllAsync(key)).ToDictionary(f => (string)f.Name!, f => (string)f.Value!);
            // QUANTITY PRICE SKU
            var lines = fields.Where(f => f.Key.StartsWith("line:", StringComparison.Ordinal)).Select(f => f.Value.Split(' '))
                .Select(l => new Line(l[2], int.Parse(l[0], CultureInfo.InvariantCulture)));
            return new StoredOrder(IdOf(key), fields["user_id"], fields["status"], [.. lines]);
        });

    /// <param name="initial">What was put into stock, by SKU.</param>
    public async Task<IReadOnlyList<StoredProduct>> ProductsAsync(IReadOnlyDictionary<string, int> initial)
        => await Task.WhenAll(initial.Select(async product =>
        {
            var fields = await Database.HashGetAsync(
                ShopPartitions.KeyOf("product", _partitions.Products, product.Key), ["stock", "sold"]);
            return new StoredProduct(product.Key, product.Value, (int?)fields[0], (int?)fields[1] ?? 0);
        }));

    /// <summary>All products, for who has not put them into stock.</summary>
    public Task<IReadOnlyList<string>> SkusAsync() => ReadAsync("product:{*}", key => Task.FromResult(IdOf(key)));

    /// <summary>Whether old orders were deleted: what was sold then cannot be counted any more.</summary>
    public async Task<bool> HasDeletedOrdersAsync()
    {
        const string Settled = "orders:settled";
        if (!await Database.KeyExistsAsync(Settled))
        {
            return false;
        }
        var info = (await Database.ExecuteAsync("XINFO", "STREAM", Settled)).ToDictionary();
        return (long)info["entries-added"] > (long)info["length"];
    }

    public async Task<IReadOnlyList<HeldItems>> HeldAsync()
        => [.. (await ReadAsync(_partitions.Count == 1 ? "product:{*}:reservation:*" : "product:{products:*}:*:reservation:*", async key =>
            new HeldItems(IdOf(key), key[(key.LastIndexOf(':') + 1)..], (int?)await Database.HashGetAsync(key, "quantity") ?? 0)))
            // Those that went back are remembered for a while.
            .Where(items => items.Quantity > 0)];

    public static async Task<IReadOnlyList<SentMail>> MailsAsync(string folder)
    {
        var mails = new List<SentMail>();
        foreach (var file in Directory.EnumerateFiles(folder, "*.eml"))
        {
            await using var content = File.OpenRead(file);
            var mail = await MimeMessage.LoadAsync(content);
            mails.Add(new SentMail(mail.MessageId ?? "", mail.Headers["X-Order-Id"] ?? "", mail.To.Mailboxes.Single().Address,
                mail.Subject?.EndsWith("is confirmed", StringComparison.Ordinal) ?? false));
        }
        return mails;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task<IReadOnlyList<T>> ReadAsync<T>(string pattern, Func<string, Task<T>> read)
    {
        var all = new List<T>();
        // Keys may come twice, those of a slot that moves too.
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var server in _connection.GetServers().Where(s => s is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var page in server.KeysAsync(pattern: pattern, pageSize: PageSize).Chunk(PageSize))
            {
                all.AddRange(await Task.WhenAll(page.Select(k => (string)k!).Where(seen.Add).ToList().Select(read)));
            }
        }
        return all;
    }

    /// <summary>What stands in the braces, or, in a partition, behind them.</summary>
    private string IdOf(string key)
        => _partitions.Count == 1 ? key[(key.IndexOf('{', StringComparison.Ordinal) + 1)..key.IndexOf('}', StringComparison.Ordinal)]
            : key[(key.IndexOf('}', StringComparison.Ordinal) + 2)..].Split(':')[0];
}
