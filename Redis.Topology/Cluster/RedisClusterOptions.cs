using System.Globalization;
using System.Net;

namespace AspireRedis.Topology;

/// <summary>What a <see cref="RedisClusterTopology"/> is made from. Immutable; the defaults are those of a small cluster.</summary>
public sealed record RedisClusterOptions
{
    /// <summary>The least <see cref="NodeTimeout"/> that is accepted: 500 ms, with which no spurious failover was measured.</summary>
    public static readonly TimeSpan MinimumNodeTimeout = TimeSpan.FromMilliseconds(500);

    /// <summary>How many primaries share the slots. Default 3, which is the least: a majority of them elects a new primary.</summary>
    public int Primaries { get; init; } = 3;

    /// <summary>How many replicas follow each primary. Default 1.</summary>
    public int ReplicasPerPrimary { get; init; } = 1;

    /// <summary>
    /// How many further primaries, with as many replicas, are members without slots, to which slots can be moved when the others have
    /// too much. Default 0.
    /// </summary>
    public int SpareShards { get; init; }

    /// <summary>
    /// How long a node may be silent before the others hold it for failing (<c>cluster-node-timeout</c>). Default 2 s, least
    /// <see cref="MinimumNodeTimeout"/>. A failover takes about twice as long.
    /// </summary>
    public TimeSpan NodeTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether the whole cluster refuses commands while one slot has no primary (<c>cluster-require-full-coverage</c>). Default false:
    /// what the other shards have is served on.
    /// </summary>
    public bool RequireFullCoverage { get; init; }

    /// <summary>What the nodes keep on disk. Default <see cref="RedisPersistence.AofEverySecond"/>.</summary>
    public RedisPersistence Persistence { get; init; } = RedisPersistence.AofEverySecond;

    /// <summary>The IP address of every node. Default <c>127.0.0.1</c>.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The value of Redis' <c>bind</c>. Default null: the address of the nodes. A container needs <c>* -::*</c>.</summary>
    public string? Bind { get; init; }

    /// <summary>The password that every node asks for; no white space and no comma. Default null: none.</summary>
    public string? Password { get; init; }

    /// <summary>
    /// Further lines of <c>redis.conf</c>, such as <c>maxmemory 100mb</c>; they win over the generated ones. Default none.
    /// </summary>
    public IReadOnlyList<string> ServerSettings { get; init; } = [];

    /// <summary>How to log in; null where nobody is asked.</summary>
    internal RedisLogin? Login => Password is { } password ? new(null, password) : null;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public void Validate()
    {
        Require(Primaries >= 3, nameof(Primaries), "must be at least 3: a majority of the primaries elects a new one");
        Require(Primaries <= RedisClusterTopology.SlotCount, nameof(Primaries), "must not exceed the number of slots");
        Require(SpareShards is >= 0 and <= RedisClusterTopology.SlotCount, nameof(SpareShards), "must not be negative, nor exceed the number of slots");
        Require(ReplicasPerPrimary >= 0, nameof(ReplicasPerPrimary), "must not be negative");
        Require(NodeTimeout >= MinimumNodeTimeout && NodeTimeout.TotalMilliseconds <= int.MaxValue, nameof(NodeTimeout),
            string.Create(CultureInfo.InvariantCulture, $"must be at least {MinimumNodeTimeout.TotalMilliseconds:0} ms, and not too long"));
        Require(Persistence is not null && Enum.IsDefined(Persistence.AppendOnly), nameof(Persistence), "is missing or unknown");
        Require(IPAddress.TryParse(Host, out _), nameof(Host), "must be an IP address");
        Require(Bind is null || IsLine(Bind), nameof(Bind), "must be one non-empty line");
        Require(Password is null || (Password.Length > 0 && !Password.Any(c => c == ',' || char.IsWhiteSpace(c) || char.IsControl(c))),
            nameof(Password), "must not be empty and must have neither white space nor a comma, which a connection string cannot carry");
        Require(ServerSettings is not null && ServerSettings.All(IsLine), nameof(ServerSettings), "must hold non-empty single lines");
    }

    private static bool IsLine(string? line) => !string.IsNullOrWhiteSpace(line) && !line.Any(char.IsControl);

    private static void Require(bool condition, string option, string complaint)
    {
        if (!condition)
        {
            throw new ArgumentException($"{option} {complaint}.", option);
        }
    }
}
