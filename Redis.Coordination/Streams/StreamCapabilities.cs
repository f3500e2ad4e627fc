using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Which of the newer stream commands a node supports. The node is asked: a version number would not do, since forks number
/// their versions differently and a provider may have disabled a command. It is asked again on each new connection, so
/// also after a failover.
/// </summary>
/// <param name="AcknowledgeAndDelete"><c>XACKDEL</c> (Redis 8.2).</param>
/// <param name="ReadClaim"><c>XREADGROUP ... CLAIM</c> (Redis 8.4).</param>
/// <param name="IdempotentAppend"><c>XADD ... IDMP</c> (Redis 8.6).</param>
/// <param name="NegativeAcknowledge"><c>XNACK</c> (Redis 8.8).</param>
internal sealed record StreamCapabilities(bool AcknowledgeAndDelete, bool ReadClaim, bool IdempotentAppend, bool NegativeAcknowledge)
{
    /// <summary>Only the commands of Redis 7.0.</summary>
    public static StreamCapabilities Classic { get; } = new(false, false, false, false);

    /// <summary>Asks the node with two commands. A node that refuses them counts as <see cref="Classic"/>.</summary>
    /// <exception cref="RedisConnectionException">No connection.</exception>
    /// <exception cref="RedisTimeoutException">No reply in time.</exception>
    public static async Task<StreamCapabilities> DetectAsync(IDatabase database)
    {
        ArgumentNullException.ThrowIfNull(database);
        try
        {
            var info = database.ExecuteAsync("COMMAND", ["INFO", "XACKDEL", "XNACK"], CommandFlags.DemandMaster);
            var docs = database.ExecuteAsync("COMMAND", ["DOCS", "XREADGROUP", "XADD"], CommandFlags.DemandMaster);
            return Read(await info, await docs);
        }
        catch (RedisServerException)
        {
            // COMMAND may be renamed or forbidden; COMMAND DOCS came with 7.0.
            return Classic;
        }
    }

    /// <param name="info">Reply of <c>COMMAND INFO XACKDEL XNACK</c>: an array with null for each unknown command.</param>
    /// <param name="docs">
    /// Reply of <c>COMMAND DOCS XREADGROUP XADD</c>: alternating names and descriptions, which contain the arguments'
    /// tokens.
    /// </param>
    internal static StreamCapabilities Read(RedisResult info, RedisResult docs)
        => new(Knows(info, 0), HasToken(DocsOf(docs, "xreadgroup"), "CLAIM"), HasToken(DocsOf(docs, "xadd"), "IDMP"), Knows(info, 1));

    private static bool Knows(RedisResult info, int index) => !info.IsNull && info.Length > index && !info[index].IsNull
        && info[index].Length > 0;

    private static RedisResult? DocsOf(RedisResult docs, string command)
    {
        for (var i = 0; !docs.IsNull && i + 1 < docs.Length; i += 2)
        {
            if (string.Equals((string?)docs[i], command, StringComparison.OrdinalIgnoreCase))
            {
                return docs[i + 1];
            }
        }
        return null;
    }

    private static bool HasToken(RedisResult? node, string token)
    {
        if (node is null || node.IsNull || node.Length < 0)
        {
            return false;
        }
        for (var i = 0; i < node.Length; i++)
        {
            if (node[i].Length < 0
                ? i > 0 && (string?)node[i] == token && (string?)node[i - 1] == "token"
                : HasToken(node[i], token))
            {
                return true;
            }
        }
        return false;
    }
}
