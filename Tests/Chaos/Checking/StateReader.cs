using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Topology;
using MimeKit;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Checking;

/// <summary>Reads what is stored: at the primary, past the services, and in the pickup folder.</summary>
internal sealed class StateReader : IAsyncDisposable
{
    private const int PageSize = 1000;

    private readonly ConnectionMultiplexer _connection;

    private StateReader(ConnectionMultiplexer connection) => _connection = connection;

    private IDatabase Database => _connection.GetDatabase();

    public static async Task<StateReader> ConnectAsync(RedisTopology topology, RedisNode primary)
    {
        var options = ConfigurationOptions.Parse(topology.ConnectionStringOf(primary));
        options.AsyncTimeout = 30_000;
        return new StateReader(await ConnectionMultiplexer.ConnectAsync(options));
    }

    /// <returns>Null when every event is handled and every reservation has ended or become an order, else what is not.</returns>
    public async Task<string?> UnsettledAsync()
    {
        foreach (var stream in new RedisKey[] { Topics.OrderPlaced.Key, Topics.Email.Key })
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
        var open = await Database.SortedSetLengthAsync("reservation_deadlines");
        return open > 0 ? $"{open} reservations have a deadline" : null;
    }

    public async Task<IReadOnlyList<StoredOrder>> OrdersAsync()
        => await ReadAsync("order:{*}", async key =>
        {
            var fields = await Database.HashGetAsync(key, ["user_id", "status", "lines"]);
            var lines = JsonDocument.Parse((string)fields[2]!).RootElement.EnumerateArray()
                .Select(l => new Line(l.GetProperty("sku").GetString()!, l.GetProperty("quantity").GetInt32()));
            return new StoredOrder(Tag(key), fields[0]!, fields[1]!, [.. lines]);
        });

    /// <param name="initial">What was put into stock, by SKU.</param>
    public async Task<IReadOnlyList<StoredProduct>> ProductsAsync(IReadOnlyDictionary<string, int> initial)
        => await Task.WhenAll(initial.Select(async product =>
        {
            var fields = await Database.HashGetAsync($"product:{{{product.Key}}}", ["stock", "sold"]);
            return new StoredProduct(product.Key, product.Value, (int?)fields[0], (int?)fields[1] ?? 0);
        }));

    public async Task<IReadOnlyList<HeldItems>> HeldAsync()
        => await ReadAsync("product:{*}:reservation:*", async key =>
            new HeldItems(Tag(key), key[(key.LastIndexOf(':') + 1)..], (int)await Database.HashGetAsync(key, "quantity")));

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
        var server = _connection.GetServers().Single();
        await foreach (var page in server.KeysAsync(pattern: pattern, pageSize: PageSize).Chunk(PageSize))
        {
            all.AddRange(await Task.WhenAll(page.Select(k => (string)k!).Distinct().Select(read)));
        }
        return all;
    }

    private static string Tag(string key)
        => key[(key.IndexOf('{', StringComparison.Ordinal) + 1)..key.IndexOf('}', StringComparison.Ordinal)];
}
