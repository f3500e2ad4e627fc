using System.Text.Json;
using AspireRedis.Puppet.Contending.Locks;

namespace AspireRedis.Puppet.Contending;

/// <summary>What a client process is started with, as JSON in its only argument.</summary>
public sealed record ClientOptions
{
    /// <summary>Its name in the history.</summary>
    public required string Process { get; init; }

    /// <summary>Where it writes its history.</summary>
    public required string HistoryFile { get; init; }

    /// <summary>Which lock it uses.</summary>
    public required LockKind Lock { get; init; }

    /// <summary>Of the server that holds the guarded data, and the leases too unless they are on the lock nodes.</summary>
    public required string ConnectionString { get; init; }

    public IReadOnlyList<string> LockNodes { get; init; } = [];

    public required IReadOnlyList<string> Resources { get; init; }

    public required int Contenders { get; init; }

    public required int TtlMilliseconds { get; init; }

    public required int ClaimMilliseconds { get; init; }

    /// <summary>What it does by chance follows from it.</summary>
    public required int Seed { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, HistoryJson.Default.ClientOptions);

    public static ClientOptions Parse(string json) => JsonSerializer.Deserialize(json, HistoryJson.Default.ClientOptions)!;
}
