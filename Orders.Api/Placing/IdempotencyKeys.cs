using System.Security.Cryptography;
using System.Text;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Placing;

/// <param name="Key">The key in Redis.</param>
/// <param name="Request">Hash of the request.</param>
/// <param name="OrderId">The order id that belongs to the key, from this request or an earlier one.</param>
/// <param name="IsFirst">Whether no earlier request had the key.</param>
/// <param name="IsSameRequest">False when the key was used for another request.</param>
internal sealed record IdempotencyClaim(RedisKey Key, string Request, string OrderId, bool IsFirst, bool IsSameRequest);

/// <summary>
/// Binds an <c>Idempotency-Key</c> to an order id before anything else happens. A repetition then works on the same order,
/// whatever the outcome of the first attempt, and every step of placing an order can be repeated.
/// See draft-ietf-httpapi-idempotency-key-header.
/// </summary>
internal sealed class IdempotencyKeys(RedisDeployment redis, DurableWriter writer, IOptions<OrderOptions> options)
{
    private static readonly RedisScript s_claim = RedisScript.Load<IdempotencyKeys>("claim-key", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<IdempotencyKeys>("release-key", repeatable: true);

    /// <summary>
    /// Claims the key. It is as durable as <see cref="BesideOrderExtensions"/> says: if a failover loses it and the order, a repetition
    /// places the order as if it were the first.
    /// </summary>
    /// <param name="userId">Keys of different users are independent.</param>
    /// <param name="key">The value of the header.</param>
    /// <param name="request">The request; a different one with the same key is an error of the client.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<IdempotencyClaim> ClaimAsync(string userId, string key, byte[] request, CancellationToken cancellationToken)
        => ClaimAsync(KeyOf(userId, key), Convert.ToHexString(SHA256.HashData(request)), OrderId.New(), cancellationToken);

    /// <summary>Claims the key once more for the same order, where a failover may have lost it; false when another order has it.</summary>
    public async Task<bool> RenewAsync(IdempotencyClaim claim, CancellationToken cancellationToken)
        => (await ClaimAsync(claim.Key, claim.Request, claim.OrderId, cancellationToken)).OrderId == claim.OrderId;

    /// <summary>
    /// Forgets the key of a request that placed nothing, so that a repetition tries again with an order id of its own. Only
    /// while it belongs to the same order, with which nothing can be placed any more.
    /// </summary>
    public Task ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken)
        => writer.EvaluateAsync(s_release, [claim.Key], [claim.OrderId], options.Value.Durability, cancellationToken);

    private async Task<IdempotencyClaim> ClaimAsync(RedisKey key, string request, string orderId, CancellationToken cancellationToken)
    {
        var reply = await writer.EvaluateBesideOrderAsync(
            redis, s_claim, [key], [orderId, request, (long)options.Value.IdempotencyWindow.TotalMilliseconds], options.Value.Durability,
            // Else it is another request's.
            result => (string?)result[1] == request, cancellationToken);
        return new IdempotencyClaim(key, request, (string)reply[0]!, (int)reply[2] == 1, (string?)reply[1] == request);
    }

    // Hashed: what a client sends is no part of a key.
    private static RedisKey KeyOf(string userId, string key)
        => $"idempotency:{{{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{userId.Length}:{userId}:{key}")))}}}";
}
