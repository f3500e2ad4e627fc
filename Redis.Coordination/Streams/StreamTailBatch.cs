using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>What a <see cref="StreamTail"/> has read.</summary>
/// <param name="StartsAnew">
/// What was read before does not count any more: the entries that follow are those that the stream has, from its first. So it is in the
/// beginning; later when the primary is another one and does not have the last entry that was read, or when entries were removed before
/// they were read.
/// </param>
/// <param name="IsCaughtUp">Whether the stream had no more than these.</param>
/// <param name="Entries">The entries, in order; none where it is only told that there are no more, or that the stream is empty.</param>
public sealed record StreamTailBatch(bool StartsAnew, bool IsCaughtUp, IReadOnlyList<StreamEntry> Entries);
