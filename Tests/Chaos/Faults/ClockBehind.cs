using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Faults;

/// <summary>
/// Has every server give ids as one does whose clock is behind that of the last writer: it counts on from the last id that it knows.
/// Nobody's clock is changed; the last ids are set ahead, for some minutes. Then the replicas get nothing any more: what the primary
/// takes from here on is lost with it. Some events are appended then, for orders themselves need the replicas before they get that far.
/// </summary>
internal sealed class ClockBehind
{
    private const string Group = "sales";
    private const int LostEvents = 50;

    // More than orders are placed until the control has found what it looks for.
    private const int LostToNaive = 1000;
    private const int NaiveReaders = 4;
    private const int Mistaken = 10;

    private static readonly TimeSpan s_ahead = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_naiveBound = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_block = TimeSpan.FromSeconds(1);

    private readonly RedisTopology _topology;
    private readonly bool _naive;
    private readonly HashSet<string> _inHand = new(StringComparer.Ordinal);

    private readonly ShopPartitions _partitions;

    private ClockBehind(RedisTopology topology, ShopPartitions partitions, bool naive)
    {
        _topology = topology;
        _partitions = partitions;
        _naive = naive;
    }

    /// <param name="topology">The servers.</param>
    /// <param name="primary">Which is the primary.</param>
    /// <param name="partitions">How the shop divides its keys.</param>
    /// <param name="naive">
    /// Whether a consumer joins that takes whatever has the id of an entry in its hands for that entry, as this library once did:
    /// it acknowledges it unhandled.
    /// </param>
    public static async Task<ClockBehind> BeginAsync(RedisTopology topology, RedisNode primary, ShopPartitions partitions, bool naive)
    {
        await using var connection = await ConnectAsync(topology, primary);
        var ahead = string.Create(CultureInfo.InvariantCulture, $"{(DateTimeOffset.UtcNow + s_ahead).ToUnixTimeMilliseconds()}-0");
        foreach (var stream in partitions.Streams)
        {
            await connection.GetDatabase().ExecuteAsync("XSETID", stream, ahead);
        }
        // Not a cut of the network: what it holds back arrives when it is whole again.
        await connection.GetDatabase().ExecuteAsync("WAIT", topology.Replicas.Count, 2000);
        await connection.GetDatabase().ExecuteAsync("ACL", "SETUSER", "default", "-psync", "-sync");
        await connection.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", "replica");
        var behind = new ClockBehind(topology, partitions, naive);
        await behind.AppendLostEventsAsync(connection.GetDatabase());
        return behind;
    }

    /// <summary>Events that look like the last one and have no effect: nobody works on an event before the replicas have it.</summary>
    private async Task AppendLostEventsAsync(IDatabase database)
    {
        var lasts = new List<(RedisKey Stream, StreamEntry Entry)>();
        foreach (var partition in _partitions.OrderPlaced.AllPartitions)
        {
            if (await database.StreamRangeAsync(partition.Key, count: 1, messageOrder: Order.Descending) is [var entry])
            {
                lasts.Add((partition.Key, entry));
            }
        }
        if (lasts.Count == 0)
        {
            return;
        }
        for (var i = 0; i < (_naive ? LostToNaive : LostEvents); i++)
        {
            var (stream, last) = lasts[i % lasts.Count];
            NameValueEntry[] fields =
                [.. last.Values.Select(f => f.Name == "event_id" ? new NameValueEntry(f.Name, $"lost-{Guid.NewGuid():N}") : f)];
            if (_naive)
            {
                await AppendIntoNaiveHandAsync(database, fields);
                continue;
            }
            await database.StreamAddAsync(stream, fields);
            // At a pace at which every consumer gets some.
            await Task.Delay(s_look);
        }
    }

    /// <summary>In one step with the append it gets to the naive consumer, before all that wait.</summary>
    private async Task AppendIntoNaiveHandAsync(IDatabase database, NameValueEntry[] fields)
    {
        var transaction = database.CreateTransaction();
        var append = transaction.StreamAddAsync(Topics.OrderPlaced.Key, fields);
        var read = transaction.StreamReadGroupAsync(Topics.OrderPlaced.Key, Group, "naive", StreamPosition.NewMessages);
        await transaction.ExecuteAsync();
        if (!(await read).Any(e => e.Id == append.Result))
        {
            throw new InvalidOperationException("The lost event is not in the hand of the naive consumer.");
        }
        _inHand.Add(append.Result.ToString());
    }

    /// <summary>The old primary is dead: waits for the next one and, for the control, until some of its events were lost there.</summary>
    /// <param name="promotion">Ends when there is one.</param>
    /// <exception cref="TimeoutException">The naive consumer met too few events with ids that it has in its hands.</exception>
    public async Task GoOnAsync(Task<RedisNode> promotion)
    {
        var primary = await promotion;
        if (!_naive)
        {
            return;
        }
        var mistaken = 0;
        using var over = new CancellationTokenSource(s_naiveBound);
        await Task.WhenAll(Enumerable.Range(0, NaiveReaders).Select(async _ =>
        {
            await using var connection = await ConnectAsync(_topology, primary);
            while (Volatile.Read(ref mistaken) < Mistaken && !over.IsCancellationRequested)
            {
                var database = connection.GetDatabase();
                var reply = await database.ExecuteAsync("XREADGROUP", "GROUP", Group, "naive", "COUNT", 1,
                    "BLOCK", (long)s_block.TotalMilliseconds, "STREAMS", (RedisKey)Topics.OrderPlaced.Key, ">");
                foreach (var entry in reply.IsNull ? [] : (RedisResult[])reply[0][1]!)
                {
                    var id = (string)entry[0]!;
                    // The others that it gets are taken over from it by the real consumers.
                    if (_inHand.Contains(id) && await database.StreamAcknowledgeAsync(Topics.OrderPlaced.Key, Group, id) == 1)
                    {
                        Interlocked.Increment(ref mistaken);
                    }
                }
            }
        }));
        if (mistaken < Mistaken)
        {
            throw new TimeoutException(
                $"Within {s_naiveBound.TotalSeconds} s only {mistaken} events with ids of lost ones got to the naive consumer.");
        }
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(RedisTopology topology, RedisNode node)
    {
        var options = ConfigurationOptions.Parse(topology.ConnectionStringOf(node));
        options.Protocol = RedisProtocol.Resp2;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.AllowAdmin = true;
        return await ConnectionMultiplexer.ConnectAsync(options);
    }
}
