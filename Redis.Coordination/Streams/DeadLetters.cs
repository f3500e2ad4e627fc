using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Lists, requeues and deletes dead letters: the operator's view of what could not be handled.</summary>
/// <remarks>
/// Safe for concurrent use. All methods fail with <see cref="RedisUnavailableException"/> when no primary took the command in
/// time, and with <see cref="RedisOutcomeUnknownException"/> when the answer was lost: a change may have been made then, and
/// can be repeated.
/// </remarks>
public sealed class DeadLetters
{
    /// <summary>The maximum page size.</summary>
    public const int MaxPage = 1000;

    private static readonly RedisScript s_requeue = RedisScript.Load<DeadLetters>("requeue");

    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public DeadLetters(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>Lists dead letters of a stream, the oldest first.</summary>
    /// <param name="stream">The stream they come from.</param>
    /// <param name="group">Only dead letters of this group; null for all.</param>
    /// <param name="after"><see cref="DeadLetterPage.Next"/> of the previous page; null for the first page.</param>
    /// <param name="count">Maximum number of dead letters, 1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<DeadLetterPage> ListAsync(
        string stream, string? group = null, string? after = null, int count = 100, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxPage);
        var from = after is null ? "-" : $"({StreamEntryId.Normalise(after)}";
        var items = new List<DeadLetter>(count);
        while (true)
        {
            var entries = await RangeAsync(stream, from, "+", count, Order.Ascending, cancellationToken);
            foreach (var entry in entries)
            {
                if (Read(stream, entry) is { } letter && (group is null || letter.Group == group))
                {
                    items.Add(letter);
                    if (items.Count == count)
                    {
                        return new DeadLetterPage(items, letter.Id);
                    }
                }
            }
            if (entries.Length < count)
            {
                return new DeadLetterPage(items, null);
            }
            from = $"({entries[^1].Id}";
        }
    }

    /// <summary>
    /// Lists dead letters of a topic, partition after partition, the oldest of each first. To requeue or delete one, say its
    /// <see cref="DeadLetter.Stream"/>.
    /// </summary>
    /// <param name="topic">The topic they come from.</param>
    /// <param name="group">Only dead letters of this group; null for all.</param>
    /// <param name="after"><see cref="DeadLetterPage.Next"/> of the previous page; null for the first page.</param>
    /// <param name="count">Maximum number of dead letters, 1 to <see cref="MaxPage"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException"><paramref name="after"/> is not from a page of this topic.</exception>
    public async Task<DeadLetterPage> ListAsync<T>(
        StreamTopic<T> topic, string? group = null, string? after = null, int count = 100, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        var partitions = topic.AllPartitions;
        // NUMBER/ID, and NUMBER/ where the partition begins.
        var slash = after?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        var number = 0;
        if (after is not null && (slash < 0 || !int.TryParse(after[..slash], CultureInfo.InvariantCulture, out number)
            || number < 0 || number >= partitions.Count))
        {
            throw new ArgumentException($"'{after}' is not the end of a page of '{topic.Key}'.", nameof(after));
        }
        var id = after is null || slash == after.Length - 1 ? null : after[(slash + 1)..];
        List<DeadLetter> items = [];
        for (; number < partitions.Count; number++, id = null)
        {
            var page = await ListAsync(partitions[number].Key, group, id, count - items.Count, cancellationToken);
            items.AddRange(page.Items);
            if (page.Next is not null)
            {
                return new DeadLetterPage(items, string.Create(CultureInfo.InvariantCulture, $"{number}/{page.Next}"));
            }
            if (items.Count == count && number + 1 < partitions.Count)
            {
                return new DeadLetterPage(items, string.Create(CultureInfo.InvariantCulture, $"{number + 1}/"));
            }
        }
        return new DeadLetterPage(items, null);
    }

    /// <summary>Returns one dead letter, or null when it does not exist.</summary>
    public async Task<DeadLetter?> FindAsync(string stream, string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        id = StreamEntryId.Normalise(id);
        var entries = await RangeAsync(stream, id, id, 1, Order.Ascending, cancellationToken);
        return entries.Length == 0 ? null : Read(stream, entries[0]);
    }

    /// <summary>
    /// Appends a dead letter to its stream again, with the same event id, for the group that could not handle it only.
    /// One script appends and removes: a crash neither loses nor duplicates it.
    /// </summary>
    /// <returns>The id of the new entry; null when the dead letter does not exist (any more).</returns>
    public async Task<string?> RequeueAsync(string stream, string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        return (string?)await _deployment.EvaluateAsync(
            s_requeue, [StreamTopic.DeadLettersOf(stream), stream], [StreamEntryId.Normalise(id)], cancellationToken);
    }

    /// <summary>Requeues all dead letters that a group has at this moment, one script call each.</summary>
    /// <returns>How many were requeued.</returns>
    public async Task<int> RequeueAllAsync(string stream, string group, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(group);
        var requeued = 0;
        DeadLetterPage page;
        string? after = null;
        // An entry that fails again meanwhile becomes a newer dead letter, which is left for the next call.
        var last = await LastAsync(stream, cancellationToken);
        do
        {
            page = await ListAsync(stream, group, after, MaxPage, cancellationToken);
            foreach (var letter in page.Items)
            {
                if (last is null || StreamEntryId.Compare(letter.Id, last) > 0)
                {
                    return requeued;
                }
                requeued += await RequeueAsync(stream, letter.Id, cancellationToken) is null ? 0 : 1;
            }
            after = page.Next;
        }
        while (after is not null);
        return requeued;
    }

    /// <summary>The same for all partitions of a topic.</summary>
    public async Task<int> RequeueAllAsync<T>(StreamTopic<T> topic, string group, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        var requeued = 0;
        foreach (var partition in topic.AllPartitions)
        {
            requeued += await RequeueAllAsync(partition.Key, group, cancellationToken);
        }
        return requeued;
    }

    /// <summary>Deletes a dead letter permanently.</summary>
    /// <returns>Whether it existed.</returns>
    public async Task<bool> DeleteAsync(string stream, string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        var key = StreamTopic.DeadLettersOf(stream);
        RedisValue[] ids = [StreamEntryId.Normalise(id)];
        return await _deployment.RunAsync(key, database => database.StreamDeleteAsync(key, ids), repeatable: false, cancellationToken) == 1;
    }

    /// <summary>Deletes dead letters that are older than <paramref name="keepFor"/>.</summary>
    /// <param name="stream">The stream they come from.</param>
    /// <param name="keepFor">How long they are kept, from when they became dead letters.</param>
    /// <param name="mayGo">Whether an old one may go; null for all. What somebody has to decide on stays.</param>
    /// <param name="cancellationToken">Ends it; some may be deleted.</param>
    /// <returns>How many were deleted.</returns>
    public async Task<int> RemoveOlderAsync(string stream, TimeSpan keepFor,
        Func<DeadLetter, CancellationToken, ValueTask<bool>>? mayGo = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(keepFor, TimeSpan.Zero);
        var key = StreamTopic.DeadLettersOf(stream);
        // By the clock that made the ids.
        var time = (RedisResult[])(await _deployment.RunAsync(key,
            database => database.ExecuteAsync("TIME", [], CommandFlags.DemandMaster), repeatable: true, cancellationToken))!;
        var until = ((long)time[0] * 1000) + ((long)time[1] / 1000) - (long)keepFor.TotalMilliseconds;
        if (until <= 0)
        {
            return 0;
        }
        var removed = 0;
        var from = "-";
        StreamEntry[] entries;
        do
        {
            entries = await RangeAsync(stream, from, string.Create(CultureInfo.InvariantCulture, $"({until}-0"), MaxPage, Order.Ascending,
                cancellationToken);
            foreach (var entry in entries)
            {
                // What is no dead letter was not put there by the library.
                if (Read(stream, entry) is { } letter && (mayGo is null || await mayGo(letter, cancellationToken)))
                {
                    removed += await DeleteAsync(stream, letter.Id, cancellationToken) ? 1 : 0;
                }
                from = $"({entry.Id}";
            }
        }
        while (entries.Length == MaxPage);
        return removed;
    }

    private Task<StreamEntry[]> RangeAsync(string stream, string from, string to, int count, Order order,
        CancellationToken cancellationToken)
    {
        var key = StreamTopic.DeadLettersOf(stream);
        return _deployment.RunAsync(
            key, database => database.StreamRangeAsync(key, from, to, count, order, CommandFlags.DemandMaster), repeatable: true,
            cancellationToken);
    }

    private async Task<string?> LastAsync(string stream, CancellationToken cancellationToken)
    {
        var newest = await RangeAsync(stream, "-", "+", 1, Order.Descending, cancellationToken);
        return newest.Length == 0 ? null : (string)newest[0].Id!;
    }

    private static DeadLetter? Read(string stream, StreamEntry entry)
    {
        // The five fields that dead-letter.lua adds come first; the original fields may have the same names.
        var values = entry.Values;
        return values.Length < 5 || values[0].Name != "dead_group"
            ? null
            : new DeadLetter((string)entry.Id!, stream, (string)values[0].Value!, (string)values[1].Value!, (string)values[2].Value!,
                (long)values[3].Value,
                DateTimeOffset.FromUnixTimeMilliseconds(long.Parse((string)values[4].Value!, CultureInfo.InvariantCulture)),
                StreamFields.UnpackAny(values[5..]).GroupBy(f => (string)f.Name!).ToDictionary(f => f.Key, f => (string)f.First().Value!));
    }
}
