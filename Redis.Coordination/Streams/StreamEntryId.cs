using System.Globalization;

namespace AspireRedis.Coordination.Streams;

/// <summary>Ids of stream entries: <c>MILLISECONDS-SEQUENCE</c>.</summary>
internal static class StreamEntryId
{
    /// <summary>Whether <paramref name="text"/> has that form.</summary>
    public static bool IsValid(string? text) => TryParse(text, out _, out _);

    /// <exception cref="ArgumentException">Not an entry id.</exception>
    internal static (ulong Ms, ulong Sequence) Parse(string entryId)
    {
        ArgumentNullException.ThrowIfNull(entryId);
        return TryParse(entryId, out var ms, out var sequence)
            ? (ms, sequence)
            : throw new ArgumentException($"'{entryId}' is not an entry id of the form MILLISECONDS-SEQUENCE.", nameof(entryId));
    }

    /// <summary>The id without leading zeros.</summary>
    /// <exception cref="ArgumentException">Not an entry id.</exception>
    internal static string Normalise(string entryId)
    {
        var (ms, sequence) = Parse(entryId);
        return string.Create(CultureInfo.InvariantCulture, $"{ms}-{sequence}");
    }

    internal static int Compare(string entryId, string other) => Parse(entryId).CompareTo(Parse(other));

    private static bool TryParse(string? text, out ulong ms, out ulong sequence)
    {
        ms = sequence = 0;
        var dash = text?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        return dash > 0
            && ulong.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out ms)
            && ulong.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }
}
