using AspireRedis.Contracts;
using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Products;

/// <summary>
/// Lists products that an earlier version has written, which kept no index: once a day at most, when an instance starts, it goes through
/// the key space for what is not listed yet. So it also finds what an instance of an earlier version writes during an upgrade.
/// </summary>
internal sealed class ProductIndexing(RedisDeployment redis, ProductStore products, TimeProvider clock, ILogger<ProductIndexing> logger)
    : BackgroundService
{
    private const string KeyBegin = "product:{";
    private const string KeyEnd = "}";
    private const int ScanCount = 1000;

    private static readonly RedisScript s_serverId = RedisScript.Load<ProductIndexing>("server-id", repeatable: true);

    private static readonly RedisKey s_done = "products:indexed";
    private static readonly TimeSpan s_doneFor = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await redis.WaitUntilActiveAsync(stoppingToken);
                await IndexAsync(stoppingToken);
                return;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("The products could not be looked through; the next attempt follows: {Reason}", e.Message);
                await Task.Delay(s_pause, clock, stoppingToken);
            }
        }
    }

    private async Task IndexAsync(CancellationToken cancellationToken)
    {
        if (await redis.RunAsync(s_done, database => database.KeyExistsAsync(s_done, CommandFlags.DemandMaster), repeatable: true,
            cancellationToken))
        {
            return;
        }
        var server = await ServerAsync(cancellationToken);
        var (cursor, any) = ("0", false);
        do
        {
            var from = cursor;
            var reply = (RedisResult[])(await redis.RunAsync(s_done,
                database => database.ExecuteAsync(
                    "SCAN", [from, "MATCH", $"{KeyBegin}*{KeyEnd}", "COUNT", ScanCount], CommandFlags.DemandMaster),
                repeatable: true, cancellationToken))!;
            cursor = (string)reply[0]!;
            string[] skus = [.. ((string[])reply[1]!).Select(key => key[KeyBegin.Length..^KeyEnd.Length]).Where(Sku.IsValid)];
            if (skus.Length > 0)
            {
                any = true;
                await products.IndexAsync(skus, cancellationToken);
            }
        }
        while (cursor != "0");
        // A cursor is of one server.
        if (await ServerAsync(cancellationToken) != server)
        {
            throw new RedisConnectionException(ConnectionFailureType.None, "The primary changed meanwhile.");
        }
        if (!any)
        {
            // Servers without products stay as they are: a backup is restored into empty ones only.
            return;
        }
        await redis.RunAsync(s_done, database => database.StringSetAsync(s_done, 1, s_doneFor), repeatable: true, cancellationToken);
    }

    private async Task<string> ServerAsync(CancellationToken cancellationToken)
        => (string)(await redis.EvaluateAsync(s_serverId, [s_done], [], cancellationToken))!;
}
