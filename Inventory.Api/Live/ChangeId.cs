using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// The id of a change of products: that of its entry in the stream, and a mark of what the entry says. After a failover the new primary
/// may give an id, which it never had, to another change; who has seen the first one must not go on behind the second.
/// </summary>
/// <param name="Ms">First part of the entry's id.</param>
/// <param name="Sequence">Second part.</param>
/// <param name="Mark">Of its content.</param>
internal readonly record struct ChangeId(ulong Ms, ulong Sequence, ushort Mark)
{
    private const char Separator = '_';

    /// <summary>Before the first change.</summary>
    public static ChangeId None => default;

    public static ChangeId Of(in StreamEntry entry)
    {
        var (ms, sequence) = ((string)entry.Id!).Split('-') is [var first, var second]
            ? (ulong.Parse(first, CultureInfo.InvariantCulture), ulong.Parse(second, CultureInfo.InvariantCulture))
            : throw new FormatException($"'{entry.Id}' is no id of an entry.");
        return new ChangeId(ms, sequence, MarkOf(entry));
    }

    /// <summary>What <see cref="ToString"/> has made; false for anything else.</summary>
    private static bool TryParse(string text, out ChangeId id)
    {
        id = default;
        if (text.Length > 50 || text.Split('-') is not [var ms, var sequence, { Length: 4 } mark]
            || !ulong.TryParse(ms, NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !ulong.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var second)
            || !ushort.TryParse(mark, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var third))
        {
            return false;
        }
        id = new ChangeId(first, second, third);
        return true;
    }

    /// <summary>The id of an event: how far it was told in each partition.</summary>
    public static string Join(IEnumerable<ChangeId> ids) => string.Join(Separator, ids);

    /// <summary>What <see cref="Join"/> has made for so many partitions; null for anything else.</summary>
    public static ChangeId[]? Split(string text, int count)
    {
        var (parts, ids) = (text.Split(Separator, count + 1), new ChangeId[count]);
        return parts.Length == count && parts.Index().All(part => TryParse(part.Item, out ids[part.Index])) ? ids : null;
    }

    /// <summary>Whether its entry comes behind the other's in the stream.</summary>
    public bool IsBehind(in ChangeId other) => (Ms, Sequence).CompareTo((other.Ms, other.Sequence)) > 0;

    /// <summary>FNV-1a, folded.</summary>
    private static ushort MarkOf(in StreamEntry entry)
    {
        var hash = 2166136261u;
        foreach (var value in entry.Values)
        {
            foreach (var character in $"{value.Value}\n")
            {
                hash = (hash ^ character) * 16777619;
            }
        }
        return (ushort)(hash ^ (hash >> 16));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Ms}-{Sequence}-{Mark:x4}");
}
