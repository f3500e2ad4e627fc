using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.LockHistory.Client;

/// <summary>
/// The data that the leases protect: a hash with its fence, as Inventory.Api has it, and beside it a list of the writes
/// that were made, in the order in which the server made them.
/// </summary>
public sealed class Store(RedisDeployment redis, bool fenced = true)
{
    private static readonly RedisScript s_guarded = RedisScript.Load<Store>("guarded-write");
    private static readonly RedisScript s_unguarded = RedisScript.Load<Store>("unguarded-write");

    /// <summary>False when the token is stale.</summary>
    public async Task<bool> WriteAsync(string resource, long token, string write)
        => (long)await redis.EvaluateAsync(fenced ? s_guarded : s_unguarded, [DataKey(resource), LogKey(resource)], [token, write]) == 1;

    /// <summary>The writes that the server has made, with their tokens, in its order.</summary>
    public async Task<IReadOnlyList<(long Token, string Write)>> LogAsync(string resource)
        => [.. (await redis.Database.ListRangeAsync(LogKey(resource), flags: CommandFlags.DemandMaster)).Select(Entry)];

    private static (long Token, string Write) Entry(RedisValue value)
    {
        var text = (string)value!;
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return (long.Parse(text.AsSpan(0, space), System.Globalization.CultureInfo.InvariantCulture), text[(space + 1)..]);
    }

    private static RedisKey DataKey(string resource) => $"data:{{{resource}}}";

    private static RedisKey LogKey(string resource) => $"data:{{{resource}}}:log";
}
