using System.Security.Cryptography;
using System.Text;

namespace AspireRedis.Topology;

/// <summary>
/// The users that every server and Sentinel of one of two regions has, instead of one password for all; <c>default</c> is off. The
/// regions have the same names and different passwords: only that keeps the Sentinels of one region, which find the server of the
/// other one that replicates from it, from making it a primary or a replica of theirs. Immutable.
/// </summary>
/// <remarks>
/// What each may do was found by trying: see <c>docs/regions.md</c>. The passwords come from one secret by HMAC-SHA256, so that who has
/// one of them has no other.
/// </remarks>
public sealed class RedisRegionUsers
{
    /// <summary>Who administers servers and Sentinels: agents of both regions, operators, and tools. May do everything.</summary>
    public const string Control = "ctl";

    /// <summary>
    /// The services of the region: everything that is not dangerous, and <c>INFO</c> and <c>ROLE</c>; of Sentinels, questions.
    /// </summary>
    public const string Application = "app";

    /// <summary>Who replicates: replicas of the region, and the head of the other one.</summary>
    public const string Replication = "repl";

    /// <summary>The Sentinels of the region, at servers and at one another.</summary>
    public const string Sentinel = "sentinel";

    /// <summary>The shortest secret that is accepted: 16 characters.</summary>
    public const int MinimumSecretLength = 16;

    // HELLO and AUTH need no permission.
    private const string SentinelOnServers =
        "&* +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill";

    private const string SentinelOnSentinels = "&* +ping +publish +client|setname +sentinel|is-master-down-by-addr";

    private const string ApplicationOnSentinels =
        "&* +ping +info +client|id +client|setname +psubscribe +punsubscribe +sentinel|get-master-addr-by-name +sentinel|master"
        + " +sentinel|myid +sentinel|replicas +sentinel|sentinels +sentinel|ckquorum";

    private readonly byte[] _secret;

    private RedisRegionUsers(string secret) => _secret = Encoding.UTF8.GetBytes(secret);

    /// <summary>The users of a region.</summary>
    /// <param name="secret">At least <see cref="MinimumSecretLength"/> characters, of this region alone.</param>
    /// <exception cref="ArgumentException">It is shorter.</exception>
    public static RedisRegionUsers FromSecret(string secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        return secret.Length >= MinimumSecretLength ? new RedisRegionUsers(secret)
            : throw new ArgumentException($"The secret of a region must have {MinimumSecretLength} characters at least.", nameof(secret));
    }

    /// <summary>The users of a region with a secret that nobody else has.</summary>
    public static RedisRegionUsers Create() => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));

    /// <summary>The password of a user.</summary>
    /// <param name="user">One of the names above.</param>
    /// <returns>32 hexadecimal digits.</returns>
    public string PasswordOf(string user)
    {
        ArgumentException.ThrowIfNullOrEmpty(user);
        return Convert.ToHexStringLower(HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes(user)))[..32];
    }

    /// <summary>Lines of <c>redis.conf</c>.</summary>
    internal IEnumerable<string> OnServers() =>
    [
        // Nobody can log in as it, but it must keep its rights: a server reads its append-only file as this user, and silently leaves out
        // every transaction, and so every script with more than one write, that it may not make. Seen with Redis 7.0.15.
        "user default off ~* &* +@all",
        Line(Control, "~* &* +@all"),
        Line(Application, "~* &* +@all -@dangerous +info +role"),
        Line(Replication, "+psync +replconf +ping"),
        Line(Sentinel, SentinelOnServers),
    ];

    /// <summary>Lines of <c>sentinel.conf</c>: a Sentinel has users of its own.</summary>
    internal IEnumerable<string> OnSentinels() =>
    [
        "user default off",
        Line(Control, "~* &* +@all"),
        Line(Application, ApplicationOnSentinels),
        Line(Sentinel, SentinelOnSentinels),
    ];

    private string Line(string user, string rules) => $"user {user} on >{PasswordOf(user)} {rules}";
}
