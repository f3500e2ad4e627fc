using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>Tells whether a server can give a level of durability.</summary>
internal static class DurabilitySupport
{
    /// <summary>What a server lacks for <see cref="Durability.Fsync"/>; null when it lacks nothing.</summary>
    public static async Task<string?> MissingForFsyncAsync(IDatabase database)
    {
        var known = database.ExecuteAsync("COMMAND", "INFO", "WAITAOF");
        var configured = database.ExecuteAsync("CONFIG", "GET", "append*");
        if ((await known)[0].IsNull)
        {
            return "the server has no WAITAOF; Redis 7.2 or newer is needed.";
        }
        RedisResult settings;
        try
        {
            settings = await configured;
        }
        catch (RedisServerException e)
        {
            return $"the server does not show whether it runs appendfsync always ({e.Message}).";
        }
        var values = ((RedisValue[])settings!).Chunk(2).ToDictionary(p => (string)p[0]!, p => (string?)p[1],
            StringComparer.OrdinalIgnoreCase);
        return values.GetValueOrDefault("appendonly") != "yes" ? "the server runs with appendonly no."
            // With everysec each write would wait for up to a second, and with no for as long as the system likes.
            : values.GetValueOrDefault("appendfsync") != "always"
                ? $"the server runs with appendfsync {values.GetValueOrDefault("appendfsync")}; always is needed."
            : null;
    }
}
