using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>What one node of a cluster says of a node: a line of <c>CLUSTER NODES</c>. Immutable.</summary>
/// <param name="Id">The id of the node that is spoken of.</param>
/// <param name="Address">Its address.</param>
/// <param name="Flags">As the line has them: <c>myself,master</c>, <c>slave,fail?</c>, ...</param>
/// <param name="PrimaryId">Whom it follows; null for a primary.</param>
/// <param name="Epoch">Its configuration epoch, of a replica that of its primary.</param>
/// <param name="IsLinked">Whether the speaker is connected to it.</param>
/// <param name="Slots">The slots that it serves; those that are being moved are still with the old one.</param>
internal sealed record RedisClusterNodeReport(
    string Id, RedisAddress Address, string Flags, string? PrimaryId, long Epoch, bool IsLinked, IReadOnlyList<RedisSlotRange> Slots)
{
    public bool IsSelf => Has("myself");

    public bool IsPrimary => Has("master");

    /// <summary>The speaker, or all, find it silent.</summary>
    public bool IsFailing => Has("fail") || Has("fail?");

    public bool Serves(int slot) => Slots.Any(r => r.Contains(slot));

    /// <summary>Reads a reply.</summary>
    /// <param name="text">The reply.</param>
    /// <param name="speaker">Who gave it: a node that does not know its own address leaves it out.</param>
    public static IReadOnlyList<RedisClusterNodeReport> ParseAll(string text, RedisAddress speaker)
        => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Parse(line, speaker))];

    private static RedisClusterNodeReport Parse(string line, RedisAddress speaker)
    {
        // "ID HOST:PORT@BUS[,NAME] FLAGS PRIMARY PING PONG EPOCH LINK SLOT...", where a slot is "1", "1-5" or "[1->-ID]".
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var address = words[1].Split(',')[0].Split('@')[0];
        var colon = address.LastIndexOf(':');
        var host = address[..colon];
        return new(words[0],
            new RedisAddress(host.Length == 0 ? speaker.Host : host, int.Parse(address[(colon + 1)..], CultureInfo.InvariantCulture)),
            words[2], words[3] == "-" ? null : words[3], long.Parse(words[6], CultureInfo.InvariantCulture), words[7] == "connected",
            [.. words.Skip(8).Where(w => w[0] != '[').Select(Range)]);
    }

    private static RedisSlotRange Range(string text)
    {
        var ends = text.Split('-');
        var first = int.Parse(ends[0], CultureInfo.InvariantCulture);
        return new(first, ends.Length > 1 ? int.Parse(ends[1], CultureInfo.InvariantCulture) : first);
    }

    private bool Has(string flag) => Flags.Split(',').Contains(flag, StringComparer.Ordinal);
}
