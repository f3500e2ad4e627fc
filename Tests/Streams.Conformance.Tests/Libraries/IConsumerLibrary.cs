using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Libraries;

/// <summary>
/// What a library of at-least-once consumers of Redis streams must offer to be put through the cases. Each instance
/// connects by itself, as a process of its own would.
/// </summary>
public interface IConsumerLibrary
{
    /// <summary>Part of key names.</summary>
    string Name { get; }

    /// <summary>The key of the stream that a case of this name uses.</summary>
    string StreamOf(string name) => $"{Name}:{name}";

    /// <summary>The fields of an entry, as the library's producer writes them.</summary>
    NameValueEntry[] Encode(int number);

    /// <summary>An entry that the library cannot read.</summary>
    NameValueEntry[] Undecodable { get; }

    /// <summary>Starts an instance of a group, which consumes until it is stopped. A handler that throws has failed.</summary>
    IConsumerInstance Start(InstanceSettings settings, Func<Delivery, CancellationToken, Task> handler);

    /// <summary>The ids of the entries that a group gave up on.</summary>
    Task<IReadOnlyList<string>> DeadLettersAsync(IDatabase database, string stream, string group);
}

/// <summary>An instance that runs.</summary>
public interface IConsumerInstance : IAsyncDisposable
{
    /// <summary>Stops gracefully: handlers that have begun may end. Disposing an instance that was not stopped does the same.</summary>
    Task StopAsync();
}

/// <summary>One instance of a group.</summary>
/// <param name="ConnectionString">Of StackExchange.Redis.</param>
/// <param name="Stream">The stream's key.</param>
/// <param name="Group">The group.</param>
/// <param name="Consumer">The instance's name in it.</param>
public sealed record InstanceSettings(string ConnectionString, string Stream, string Group, string Consumer)
{
    /// <summary>How long an entry is left to a consumer that shows no sign of life.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Handlers that run at the same time.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Deliveries after which the group gives up on an entry.</summary>
    public int MaxDeliveries { get; init; } = 1000;

    /// <summary>Events that are even, and those that are odd, are to be handled in order. Only for libraries that can.</summary>
    public bool InOrder { get; init; }
}

/// <summary>What a handler gets.</summary>
public sealed record Delivery(int Number, string EntryId);
