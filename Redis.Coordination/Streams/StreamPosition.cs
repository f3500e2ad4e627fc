using System.Globalization;

namespace AspireRedis.Coordination.Streams;

/// <summary>A place in a stream from which a group reads on.</summary>
public readonly record struct StreamPosition
{
    private readonly string? _after;

    private StreamPosition(string after) => _after = after;

    /// <summary>Before the oldest entry that the stream still has.</summary>
    public static StreamPosition Beginning => default;

    /// <summary>Behind the newest entry: only what comes from now on.</summary>
    public static StreamPosition End => new("$");

    /// <summary>The id behind which reading starts, as <c>XGROUP CREATE</c> takes it.</summary>
    public string AfterId => _after ?? "0-0";

    /// <summary>The first entry that was appended at <paramref name="time"/> or later, by the clock of the server.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is before 1970.</exception>
    public static StreamPosition At(DateTimeOffset time)
    {
        var ms = time.ToUnixTimeMilliseconds();
        ArgumentOutOfRangeException.ThrowIfNegative(ms, nameof(time));
        return Before((ulong)ms, 0);
    }

    /// <summary>The entry <paramref name="entryId"/> itself, or the one after it when it is gone.</summary>
    /// <exception cref="ArgumentException">Not an entry id.</exception>
    public static StreamPosition From(string entryId)
    {
        var (ms, sequence) = Parse(entryId);
        return Before(ms, sequence);
    }

    /// <summary>The entry behind <paramref name="entryId"/>.</summary>
    /// <exception cref="ArgumentException">Not an entry id.</exception>
    public static StreamPosition After(string entryId)
    {
        var (ms, sequence) = Parse(entryId);
        return new StreamPosition(Id(ms, sequence));
    }

    /// <inheritdoc/>
    public override string ToString() => AfterId;

    /// <summary>Whether a text has the form of an entry id, <c>MILLISECONDS-SEQUENCE</c>.</summary>
    public static bool IsEntryId(string? text) => TryParse(text, out _, out _);

    internal static int Compare(string entryId, string other) => Parse(entryId).CompareTo(Parse(other));

    private static StreamPosition Before(ulong ms, ulong sequence)
        => (ms, sequence) switch
        {
            (0, 0) => Beginning,
            (_, 0) => new StreamPosition(Id(ms - 1, ulong.MaxValue)),
            _ => new StreamPosition(Id(ms, sequence - 1)),
        };

    private static (ulong Ms, ulong Sequence) Parse(string entryId)
    {
        ArgumentNullException.ThrowIfNull(entryId);
        return TryParse(entryId, out var ms, out var sequence)
            ? (ms, sequence)
            : throw new ArgumentException($"'{entryId}' is not an entry id of the form MILLISECONDS-SEQUENCE.", nameof(entryId));
    }

    private static bool TryParse(string? text, out ulong ms, out ulong sequence)
    {
        ms = sequence = 0;
        var dash = text?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        return dash > 0
            && ulong.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out ms)
            && ulong.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }

    private static string Id(ulong ms, ulong sequence) => string.Create(CultureInfo.InvariantCulture, $"{ms}-{sequence}");
}
