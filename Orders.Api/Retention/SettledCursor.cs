using System.Globalization;

namespace AspireRedis.Orders.Retention;

/// <summary>
/// The place of an order among the settled ones: <c>MILLISECONDS-SEQUENCE</c>, when it was settled by the clock of the server, and with
/// partitions <c>-PARTITION</c> behind it, since two of them may give one id.
/// </summary>
/// <param name="Milliseconds">Since 1970.</param>
/// <param name="Sequence">Tells those of one millisecond apart.</param>
/// <param name="Partition">The number of the partition; 0 where there is one only.</param>
internal readonly record struct SettledCursor(ulong Milliseconds, ulong Sequence, int Partition) : IComparable<SettledCursor>
{
    private const int MaxDigits = 19;

    /// <summary>Its id in the stream of the partition.</summary>
    public string EntryId => string.Create(CultureInfo.InvariantCulture, $"{Milliseconds}-{Sequence}");

    /// <summary>As a caller writes it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="partitions">How many partitions there are.</param>
    /// <param name="cursor">The cursor.</param>
    /// <returns>False when it is none.</returns>
    public static bool TryParse(string? text, int partitions, out SettledCursor cursor)
    {
        cursor = default;
        var parts = text?.Split('-') ?? [];
        if (parts.Length != (partitions == 1 ? 2 : 3) || !TryParse(parts[0], out var ms) || !TryParse(parts[1], out var sequence))
        {
            return false;
        }
        var partition = 0UL;
        if (partitions > 1 && (!TryParse(parts[2], out partition) || partition >= (ulong)partitions))
        {
            return false;
        }
        cursor = new SettledCursor(ms, sequence, (int)partition);
        return true;
    }

    /// <summary>What a caller is told that it looks like.</summary>
    /// <param name="partitions">How many partitions there are.</param>
    public static string FormOf(int partitions) => partitions == 1 ? "MILLISECONDS-SEQUENCE" : "MILLISECONDS-SEQUENCE-PARTITION";

    /// <summary>As <see cref="TryParse(string?, int, out SettledCursor)"/> reads it.</summary>
    public string ToString(int partitions)
        => partitions == 1 ? EntryId : string.Create(CultureInfo.InvariantCulture, $"{EntryId}-{Partition}");

    /// <inheritdoc/>
    public int CompareTo(SettledCursor other)
        => (Milliseconds, Sequence, Partition).CompareTo((other.Milliseconds, other.Sequence, other.Partition));

    private static bool TryParse(string digits, out ulong number)
    {
        number = 0;
        return digits.Length <= MaxDigits && ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
