using System.Security.Cryptography;
using System.Text;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// The key of a partition: <c>ratelimit:POLICY:{PARTITION}</c>. A partition may be whatever a customer sends, so one that is long or has
/// other characters than those of ids and addresses stands there as its SHA-256, after a <c>~</c> that no other begins with.
/// </summary>
internal static class PartitionKeys
{
    private const int MaxPlain = 100;

    public static string Of(string policy, string partition)
        => IsPlain(partition)
            ? $"ratelimit:{policy}:{{{partition}}}"
            : $"ratelimit:{policy}:{{~{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(partition)))}}}";

    private static bool IsPlain(string partition)
        => partition.Length is > 0 and <= MaxPlain
            && partition.All(c => char.IsAsciiLetterOrDigit(c) || "-_.:@%/+=".Contains(c, StringComparison.Ordinal));
}
