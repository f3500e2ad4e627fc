using System.Globalization;

namespace AspireRedis.Coordination.Streams;

/// <summary>The position in a stream from which a group starts to read.</summary>
public readonly record struct StartPosition
{
    private readonly string? _after;

    private StartPosition(string after) => _after = after;

    /// <summary>Before the oldest entry that the stream still has.</summary>
    public static StartPosition Beginning => default;

    /// <summary>After the newest entry: only what is appended from now on.</summary>
    public static StartPosition End => new("$");

    /// <summary>The id after which reading starts, as <c>XGROUP CREATE</c> takes it.</summary>
    public string AfterId => _after ?? "0-0";

    /// <summary>The first entry that was appended at <paramref name="time"/> or later, by the clock of the server.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is before 1970.</exception>
    public static StartPosition At(DateTimeOffset time)
    {
        var ms = time.ToUnixTimeMilliseconds();
        ArgumentOutOfRangeException.ThrowIfNegative(ms, nameof(time));
        return Before((ulong)ms, 0);
    }

    /// <summary>The entry <paramref name="entryId"/> itself, or the next one when it no longer exists.</summary>
    /// <exception cref="ArgumentException">Not an entry id.</exception>
    public static StartPosition From(string entryId)
    {
        var (ms, sequence) = StreamEntryId.Parse(entryId);
        return Before(ms, sequence);
    }

    /// <summary>The entry after <paramref name="entryId"/>.</summary>
    /// <exception cref="ArgumentException">Not an entry id.</exception>
    public static StartPosition After(string entryId)
    {
        return new StartPosition(StreamEntryId.Normalise(entryId));
    }

    /// <inheritdoc/>
    public override string ToString() => AfterId;

    private static StartPosition Before(ulong ms, ulong sequence)
        => (ms, sequence) switch
        {
            (0, 0) => Beginning,
            (_, 0) => new StartPosition(Id(ms - 1, ulong.MaxValue)),
            _ => new StartPosition(Id(ms, sequence - 1)),
        };

    private static string Id(ulong ms, ulong sequence) => string.Create(CultureInfo.InvariantCulture, $"{ms}-{sequence}");
}
