using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Writes what a server has loaded from a backup into the active region, which must be empty, key by key (<c>DUMP</c>, <c>RESTORE</c>). No
/// server is started again and none changes its role: replicas and the standby get it as they get every write.
/// </summary>
/// <remarks>
/// Nobody else writes meanwhile: the permission is taken away, and a mark says to the agent that none is to be granted, as a planned
/// switch does. The mark ends by itself when this process dies.
/// </remarks>
internal sealed class RegionRestore(RegionServers region, RegionServers other, ILogger logger)
{
    private const int Page = 500;
    private const int MostWithoutData = 1000;

    // As much may be under way to the replicas, whose buffers have a limit.
    private const long MostUnacknowledged = 16 << 20;

    private static readonly TimeSpan s_mark = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_shortest = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_replicas = TimeSpan.FromSeconds(20);

    /// <param name="active">Its permission.</param>
    /// <param name="loaded">A server that has loaded the backup.</param>
    /// <param name="progress">Hears of the keys; null for nobody.</param>
    /// <param name="cancellationToken">Gives up, as long as nothing is written.</param>
    public async Task<RegionRestoreResult> RunAsync(
        RegionPermit active, IConnectionMultiplexer loaded, IProgress<RegionProgress>? progress, CancellationToken cancellationToken)
    {
        var primary = await region.FindPrimaryAsync(cancellationToken)
            ?? throw new RegionException($"The primary of region '{region.Region.Name}' is not reached.");
        var began = Stopwatch.GetTimestamp();
        var (isMarked, isWritten) = (false, false);
        try
        {
            await RequireEmptyAsync(cancellationToken);
            isMarked = true;
            await MarkAsync(primary.Link, active, cancellationToken);
            // Somebody may have written before the mark was there.
            await RequireEmptyAsync(cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            await using var target = await ConnectAsync(primary.Link);
            isWritten = true;
            var keys = await CopyAsync(loaded, target, primary.Link, active, progress);
            var replicas = await AcknowledgedAsync(target);
            logger.LogInformation("{Keys} keys were written into region {Region}; {Replicas} servers that follow it have them.", keys,
                region.Region.Name, replicas);
            return new RegionRestoreResult(region.Region.Name, active.Epoch, keys, replicas,
                Stopwatch.GetElapsedTime(began));
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, CancellationToken.None))
        {
            throw new RegionException(isWritten
                ? $"A part of the backup is in region '{region.Region.Name}' and the rest is not; empty it before the next attempt: {e.Message}"
                : $"A node did not do its part: {e.Message}", isWritten, e);
        }
        finally
        {
            if (isMarked)
            {
                // The agent grants the permission again within its interval.
                await primary.Link.TryAsync(CancellationToken.None, ["DEL", RegionPermit.HandOverKey]);
            }
        }
    }

    /// <summary>
    /// No server of either region may have data: a part of the other one would be overwritten too. What services that wait for work have
    /// is none: groups of streams that never had an entry, and signs of life and leases, which end within a minute.
    /// </summary>
    private async Task RequireEmptyAsync(CancellationToken cancellationToken)
    {
        foreach (var server in (await region.LookAsync(cancellationToken)).Concat(await other.LookAsync(cancellationToken)))
        {
            if (await DataOfAsync(server.Link, cancellationToken) is { } data)
            {
                throw new RegionException($"{server.Link.Name} is not empty, it has {data}: a backup is restored into empty regions only.");
            }
        }
    }

    /// <summary>What a server has; null for nothing.</summary>
    private static async Task<string?> DataOfAsync(NodeLink server, CancellationToken cancellationToken)
    {
        var keyspace = (string)(await server.ExecuteAsync(cancellationToken, "INFO", "keyspace"))!;
        var databases = keyspace.Split("\r\n").Where(l => l.StartsWith("db", StringComparison.Ordinal)).ToList();
        if (databases.Find(d => !d.StartsWith("db0:", StringComparison.Ordinal)) is { } other)
        {
            return $"keys in {other.Split(':')[0]}";
        }
        if ((long)(await server.ExecuteAsync(cancellationToken, "DBSIZE"))! is var size and > MostWithoutData)
        {
            return $"{size} keys";
        }
        var cursor = "0";
        do
        {
            var scan = (object?[])(await server.ExecuteAsync(cancellationToken, "SCAN", cursor, "COUNT", MostWithoutData))!;
            cursor = (string)scan[0]!;
            foreach (var key in ((object?[])scan[1]!).Cast<string>().Where(k => !IsOfRegions(k)))
            {
                var (type, left) = await server.PipelineAsync(cancellationToken, ["TYPE", key], ["PTTL", key])
                    is [string kind, long milliseconds] ? (kind, milliseconds) : ("none", 0);
                if (type == "none" || (left >= 0 && left <= s_shortest.TotalMilliseconds))
                {
                    continue;
                }
                // [..., 'last-generated-id', ID, ...]: 0-0 until the first entry.
                if (type != "stream" || (object?[])(await server.ExecuteAsync(cancellationToken, "XINFO", "STREAM", key))! is var info
                    && info[Array.IndexOf(info, "last-generated-id") + 1] as string != "0-0")
                {
                    return $"the key '{key}'";
                }
            }
        }
        while (cursor != "0");
        return null;
    }

    private static bool IsOfRegions(string key)
        => key == RegionPermit.Key || key.StartsWith(RegionPermit.Key + ":", StringComparison.Ordinal);

    private static Task<IReadOnlyList<object?>> MarkAsync(NodeLink primary, RegionPermit active, CancellationToken cancellationToken)
        => primary.PipelineAsync(cancellationToken, ["MULTI"],
            ["SET", RegionPermit.HandOverKey, active, "PX", (long)s_mark.TotalMilliseconds], ["DEL", RegionPermit.Key], ["EXEC"]);

    private async Task<ConnectionMultiplexer> ConnectAsync(NodeLink primary)
    {
        var options = region.Region.Connection.Clone();
        options.EndPoints.Clear();
        options.EndPoints.Add(primary.ReachedAt);
        options.ServiceName = null;
        options.Tunnel = null;
        options.AsyncTimeout = (int)s_mark.TotalMilliseconds;
        options.AllowAdmin = true;
        options.AbortOnConnectFail = true;
        return await ConnectionMultiplexer.ConnectAsync(options);
    }

    private static async Task<long> CopyAsync(IConnectionMultiplexer loaded, ConnectionMultiplexer target, NodeLink primary,
        RegionPermit active, IProgress<RegionProgress>? progress)
    {
        var server = loaded.GetServers().Single();
        var functions = await server.ExecuteAsync("FUNCTION", "LIST");
        if (functions.Length > 0)
        {
            await target.GetDatabase().ExecuteAsync("FUNCTION", "RESTORE", await server.ExecuteAsync("FUNCTION", "DUMP"));
        }
        var written = 0L;
        var unacknowledged = 0L;
        var numbers = ((string)(await server.ExecuteAsync("INFO", "keyspace"))!).Split("\r\n")
            .Where(l => l.StartsWith("db", StringComparison.Ordinal))
            .Select(l => int.Parse(l.Split(':')[0][2..], CultureInfo.InvariantCulture)).ToList();
        var total = 0L;
        foreach (var number in numbers)
        {
            total += await server.DatabaseSizeAsync(number);
        }
        foreach (var number in numbers)
        {
            var (from, to) = (loaded.GetDatabase(number), target.GetDatabase(number));
            await foreach (var page in server.KeysAsync(number, pageSize: Page).Chunk(Page))
            {
                // A scan may name a key twice.
                var keys = page.Distinct().Where(k => !IsOfRegions((string)k!)).ToArray();
                var sizes = await Task.WhenAll(keys.Select(k => CopyAsync(from, to, k)));
                written += sizes.Count(s => s > 0);
                unacknowledged += sizes.Sum();
                await MarkAsync(primary, active, CancellationToken.None);
                if (unacknowledged > MostUnacknowledged)
                {
                    await AcknowledgedAsync(target);
                    unacknowledged = 0;
                }
                progress?.Report(new RegionProgress(written, total));
            }
        }
        return written;
    }

    /// <returns>The size of the value; 0 when the key has ended meanwhile.</returns>
    private static async Task<long> CopyAsync(IDatabase from, IDatabase to, RedisKey key)
    {
        // The end first: a key without a value needs none.
        var end = from.ExecuteAsync("PEXPIRETIME", key);
        var value = (byte[]?)await from.ExecuteAsync("DUMP", key);
        if (value is null)
        {
            return 0;
        }
        var milliseconds = Math.Max(0, (long)await end);
        // Nothing but what a service that waits has made can be there, see above.
        await to.ExecuteAsync("RESTORE", key, milliseconds, value, "ABSTTL", "REPLACE");
        return value.Length;
    }

    /// <summary>Waits for those that follow the primary; not for ever.</summary>
    private static async Task<int> AcknowledgedAsync(ConnectionMultiplexer target)
    {
        var server = target.GetServers().Single();
        var followers = (await server.InfoAsync("replication")).SelectMany(g => g).FirstOrDefault(p => p.Key == "connected_slaves").Value;
        return (int)await target.GetDatabase().ExecuteAsync("WAIT", followers ?? "0", (long)s_replicas.TotalMilliseconds);
    }
}
