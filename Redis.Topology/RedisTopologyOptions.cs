using System.Globalization;
using System.Net;

namespace AspireRedis.Topology;

/// <summary>What a <see cref="RedisTopology"/> is made from. Immutable; the defaults are the shop's.</summary>
public sealed record RedisTopologyOptions
{
    /// <summary>The least <see cref="DownAfter"/> that is accepted: 1.5 s.</summary>
    public static readonly TimeSpan MinimumDownAfter = TimeSpan.FromMilliseconds(1500);

    private static readonly TimeSpan s_usualFailoverTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The name under which Sentinel knows the primary: letters, digits, <c>.</c>, <c>-</c>, <c>_</c>. Default
    /// <c>shop</c>.
    /// </summary>
    public string ServiceName { get; init; } = "shop";

    /// <summary>How many replicas follow the primary. Default 2.</summary>
    public int Replicas { get; init; } = 2;

    /// <summary>How many Sentinels watch; 0 for no failover at all. Default 3.</summary>
    public int Sentinels { get; init; } = 3;

    /// <summary>How many Sentinels must find the primary unreachable before a failover starts. Default null: a majority.</summary>
    public int? Quorum { get; init; }

    /// <summary>How many independent servers there are for Redlock. Default 0.</summary>
    public int LockNodes { get; init; }

    /// <summary>
    /// How long the primary may be silent before a Sentinel holds it for dead. Default 2 s, least
    /// <see cref="MinimumDownAfter"/>: below it a second, spurious failover was measured right after the first, with
    /// acknowledged writes lost.
    /// </summary>
    public TimeSpan DownAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long one attempt at a failover may take; Sentinels wait twice this before the next attempt. Default null: 5
    /// s, or <see cref="DownAfter"/> where that is longer; least <see cref="DownAfter"/>.
    /// </summary>
    public TimeSpan? FailoverTimeout { get; init; }

    /// <summary>What the primary and the replicas keep on disk. Default <see cref="RedisPersistence.AofEverySecond"/>.</summary>
    public RedisPersistence Persistence { get; init; } = RedisPersistence.AofEverySecond;

    /// <summary>
    /// What the lock nodes keep on disk. Default null: as <see cref="Persistence"/>. A lock node that forgets a lock in
    /// a crash breaks Redlock's promise, which only <see cref="RedisPersistence.AofAlways"/> or a restart delayed by
    /// the longest TTL prevents.
    /// </summary>
    public RedisPersistence? LockNodePersistence { get; init; }

    /// <summary>The IP address of every node that is not placed otherwise. Default <c>127.0.0.1</c>.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The value of Redis' <c>bind</c>. Default null: each node's own address. A container needs <c>* -::*</c>.</summary>
    public string? Bind { get; init; }

    /// <summary>
    /// The password that every node asks for, Sentinels included; no white space and no comma, which a connection
    /// string cannot carry. Default null: none.
    /// </summary>
    public string? Password { get; init; }

    /// <summary>
    /// The users of one of two regions, in place of <see cref="Password"/>; then a server keeps the times of its writes too, where it
    /// has an append-only file. Default null: no regions.
    /// </summary>
    public RedisRegionUsers? Users { get; init; }

    /// <summary>
    /// Whose standby this is at first: the servers replicate from there with priority 0, and the Sentinels monitor nothing until an
    /// agent promotes them. Default null: none.
    /// </summary>
    public RedisStandby? Standby { get; init; }

    /// <summary>
    /// Further lines of <c>redis.conf</c> for the primary and the replicas, such as <c>maxmemory 100mb</c>; they win
    /// over the generated ones. Default none.
    /// </summary>
    public IReadOnlyList<string> ServerSettings { get; init; } = [];

    /// <summary>Further lines of <c>sentinel.conf</c>. Default none.</summary>
    public IReadOnlyList<string> SentinelSettings { get; init; } = [];

    /// <summary>Further lines of <c>redis.conf</c> for the lock nodes. Default none.</summary>
    public IReadOnlyList<string> LockNodeSettings { get; init; } = [];

    /// <summary>Whether there are lock nodes alone: no primary, no replicas and no Sentinels.</summary>
    internal bool OnlyLockNodes { get; init; }

    /// <summary>The quorum in force: <see cref="Quorum"/>, or a majority of the Sentinels.</summary>
    public int EffectiveQuorum => Quorum ?? (Sentinels / 2) + 1;

    /// <summary>
    /// The failover timeout in force: <see cref="FailoverTimeout"/>, or 5 s, or <see cref="DownAfter"/> where that is
    /// longer.
    /// </summary>
    public TimeSpan EffectiveFailoverTimeout => FailoverTimeout
        ?? (DownAfter > s_usualFailoverTimeout ? DownAfter : s_usualFailoverTimeout);

    /// <summary>Who may do everything; null where nobody is asked.</summary>
    internal RedisLogin? Login => Users is { } users ? new(RedisRegionUsers.Control, users.PasswordOf(RedisRegionUsers.Control))
        : Password is { } password ? new(null, password) : null;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public void Validate()
    {
        Require(IsServiceName(ServiceName), nameof(ServiceName), "must consist of letters, digits, '.', '-' and '_'");
        Require(Replicas >= 0, nameof(Replicas), "must not be negative");
        Require(Sentinels >= 0, nameof(Sentinels), "must not be negative");
        Require(LockNodes >= 0, nameof(LockNodes), "must not be negative");
        Require(Quorum is null || Sentinels > 0, nameof(Quorum), "has no meaning without Sentinels");
        Require(Quorum is null || (Quorum >= 1 && Quorum <= Sentinels), nameof(Quorum),
            $"must be between 1 and the number of Sentinels ({Sentinels})");
        Require(DownAfter >= MinimumDownAfter, nameof(DownAfter),
            $"must be at least {Milliseconds(MinimumDownAfter)} ms, was {Milliseconds(DownAfter)} ms: below that Sentinel makes spurious failovers that lose acknowledged writes");
        Require(EffectiveFailoverTimeout >= DownAfter, nameof(FailoverTimeout), "must not be shorter than DownAfter");
        Require(DownAfter.TotalMilliseconds <= int.MaxValue, nameof(DownAfter), "is too long");
        Require(EffectiveFailoverTimeout.TotalMilliseconds <= int.MaxValue, nameof(FailoverTimeout), "is too long");
        RequirePersistence(Persistence, nameof(Persistence));
        if (LockNodePersistence is not null)
        {
            RequirePersistence(LockNodePersistence, nameof(LockNodePersistence));
        }

        Require(IPAddress.TryParse(Host, out _), nameof(Host), "must be an IP address: Sentinel is told not to resolve names");
        Require(Bind is null || IsLine(Bind), nameof(Bind), "must be one non-empty line");
        Require(Password is null || (Password.Length > 0 && !Password.Any(c => c == ',' || char.IsWhiteSpace(c) || char.IsControl(c))),
            nameof(Password), "must not be empty and must have neither white space nor a comma, which a connection string cannot carry");
        Require(Users is null || Password is null, nameof(Password), $"has no place beside {nameof(Users)}");
        Require(Users is null || (Sentinels > 0 && LockNodes == 0), nameof(Users),
            "are for Sentinel deployments without lock nodes: witnesses stand alone, one outside of both regions");
        Require(Standby is null || Users is not null, nameof(Standby),
            $"needs {nameof(Users)}: nothing else keeps the active region's Sentinels from commanding its head");
        Require(Standby?.Users is null || !ReferenceEquals(Standby.Users, Users), nameof(Standby), "must have other users than this region");
        RequireLines(ServerSettings, nameof(ServerSettings));
        RequireLines(SentinelSettings, nameof(SentinelSettings));
        RequireLines(LockNodeSettings, nameof(LockNodeSettings));
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);

    private static bool IsServiceName(string? name) =>
        !string.IsNullOrEmpty(name) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    private static bool IsLine(string? line) => !string.IsNullOrWhiteSpace(line) && !line.Any(char.IsControl);

    private static void RequirePersistence(RedisPersistence? persistence, string option)
    {
        Require(persistence is not null, option, "must not be null");
        Require(Enum.IsDefined(persistence!.AppendOnly), option, "has an unknown append-only mode");
    }

    private static void RequireLines(IReadOnlyList<string>? lines, string option) =>
        Require(lines is not null && lines.All(IsLine), option, "must hold non-empty single lines");

    private static void Require(bool condition, string option, string complaint)
    {
        if (!condition)
        {
            throw new ArgumentException($"{option} {complaint}.", option);
        }
    }
}
