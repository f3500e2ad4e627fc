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

    /// <summary>Deletes a dead letter permanently.</summary>
    /// <returns>Whether it existed.</returns>
    public async Task<bool> DeleteAsync(string stream, string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        var key = StreamTopic.DeadLettersOf(stream);
        RedisValue[] ids = [StreamEntryId.Normalise(id)];
        return await _deployment.RunAsync(key, database => database.StreamDeleteAsync(key, ids), repeatable: false, cancellationToken) == 1;
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
