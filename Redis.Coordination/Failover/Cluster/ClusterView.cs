using System.Globalization;
using System.Net;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>What one node says of a cluster (<c>CLUSTER NODES</c>). Immutable.</summary>
/// <param name="Speaker">The id of the node that says so.</param>
/// <param name="Nodes">All nodes that it knows, itself among them.</param>
internal sealed record ClusterView(string Speaker, IReadOnlyList<ClusterNodeState> Nodes)
{
    /// <summary>Reads a reply.</summary>
    /// <param name="text">The reply.</param>
    /// <param name="speaker">Where the node was reached: one that does not know its own address leaves it out.</param>
    /// <exception cref="FormatException">It is none.</exception>
    public static ClusterView Parse(string text, EndPoint speaker)
    {
        ArgumentNullException.ThrowIfNull(text);
        var nodes = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => ClusterNodeState.Parse(line, speaker)).ToList();
        return new(nodes.Find(n => n.IsSelf)?.Id ?? throw new FormatException("The node does not name itself."), nodes);
    }
}

/// <summary>What is said of a node of a cluster. Immutable.</summary>
/// <param name="Id">Its id, which it keeps for as long as it keeps its file.</param>
/// <param name="Address">Where it is; null where that is not known.</param>
/// <param name="Flags">As the line has them.</param>
/// <param name="PrimaryId">Whom it follows; null for a primary.</param>
/// <param name="Epoch">Its configuration epoch: of two that claim a slot, the higher one is right.</param>
/// <param name="Slots">The first and the last of each range of slots that it serves.</param>
internal sealed record ClusterNodeState(
    string Id, EndPoint? Address, string[] Flags, string? PrimaryId, long Epoch, IReadOnlyList<(int First, int Last)> Slots)
{
    public bool IsSelf => Has("myself");

    public bool IsPrimary => Has("master");

    /// <summary>A majority of the primaries finds it silent.</summary>
    public bool IsFailed => Has("fail");

    /// <summary>It is being introduced, or its address is not known.</summary>
    public bool IsUnknown => Address is null || Has("handshake") || Has("noaddr");

    /// <summary>How replicas are named by their primary: <c>host:port</c>.</summary>
    public string Name => Address switch
    {
        IPEndPoint ip => string.Create(CultureInfo.InvariantCulture, $"{ip.Address}:{ip.Port}"),
        DnsEndPoint name => string.Create(CultureInfo.InvariantCulture, $"{name.Host}:{name.Port}"),
        _ => "",
    };

    /// <exception cref="FormatException">It is no such line.</exception>
    public static ClusterNodeState Parse(string line, EndPoint speaker)
    {
        // "ID HOST:PORT@BUS[,NAME] FLAGS PRIMARY PING PONG EPOCH LINK SLOT...", where a slot is "1", "1-5", or "[1->-ID]" while it is
        // moved.
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 8 || !long.TryParse(words[6], CultureInfo.InvariantCulture, out var epoch))
        {
            throw new FormatException($"'{line}' describes no node of a cluster.");
        }
        var flags = words[2].Split(',');
        var address = words[1].Split(',')[0].Split('@')[0];
        var colon = address.LastIndexOf(':');
        var node = colon < 0 ? null
            : colon == 0 && Array.IndexOf(flags, "myself") >= 0 ? speaker
            : NodeAddress.Parse(address[..colon], address[(colon + 1)..]);
        return new(words[0], node is IPEndPoint { Port: 0 } or DnsEndPoint { Port: 0 } ? null : node, flags,
            words[3] == "-" ? null : words[3], epoch, [.. words.Skip(8).Where(w => w[0] != '[').Select(Range)]);
    }

    private static (int First, int Last) Range(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var first = Slot(dash < 0 ? text : text[..dash]);
        return (first, dash < 0 ? first : Slot(text[(dash + 1)..]));
    }

    private static int Slot(string text)
        => int.TryParse(text, CultureInfo.InvariantCulture, out var slot) && slot is >= 0 and < KeySlot.Count ? slot
            : throw new FormatException($"'{text}' is no slot.");

    private bool Has(string flag) => Array.IndexOf(Flags, flag) >= 0;
}
