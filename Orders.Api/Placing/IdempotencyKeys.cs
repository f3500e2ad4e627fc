using System.Security.Cryptography;
using System.Text;
using AspireRedis.Coordination;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Placing;

/// <param name="OrderId">The order id that belongs to the key, from this request or an earlier one.</param>
/// <param name="SameRequest">False when the key was used for another request.</param>
internal readonly record struct IdempotencyClaim(string OrderId, bool SameRequest);

/// <summary>
/// Binds an <c>Idempotency-Key</c> to an order id before anything else happens. A repetition then works on the same order,
/// whatever the outcome of the first attempt, and every step of placing an order can be repeated.
/// See draft-ietf-httpapi-idempotency-key-header.
/// </summary>
internal sealed class IdempotencyKeys(DurableWriter writer, IOptions<OrderOptions> options)
{
    private static readonly RedisScript s_claim = RedisScript.Load<IdempotencyKeys>("claim-key", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<IdempotencyKeys>("release-key", repeatable: true);

    /// <param name="userId">Keys of different users are independent.</param>
    /// <param name="key">The value of the header.</param>
    /// <param name="request">The request; a different one with the same key is an error of the client.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IdempotencyClaim> ClaimAsync(string userId, string key, byte[] request, CancellationToken cancellationToken)
    {
        var hash = Convert.ToHexString(SHA256.HashData(request));
        // As durable as the order: if a failover lost the key, a repetition would place a second order.
        var reply = (string[])(await writer.EvaluateAsync(s_claim, [RedisKey(userId, key)],
            [OrderId.New(), hash, (long)options.Value.IdempotencyWindow.TotalMilliseconds], options.Value.Durability, cancellationToken))!;
        return new IdempotencyClaim(reply[0], reply[1] == hash);
    }

    /// <summary>
    /// Forgets the key of a request that placed nothing, so that a repetition tries again with an order id of its own. Only
    /// while it belongs to <paramref name="orderId"/>, with which nothing can be placed any more.
    /// </summary>
    public Task ReleaseAsync(string userId, string key, string orderId, CancellationToken cancellationToken)
        => writer.EvaluateAsync(s_release, [RedisKey(userId, key)], [orderId], options.Value.Durability, cancellationToken);

    // Hashed: what a client sends is no part of a key.
    private static RedisKey RedisKey(string userId, string key)
        => $"idempotency:{{{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{userId.Length}:{userId}:{key}")))}}}";
}
