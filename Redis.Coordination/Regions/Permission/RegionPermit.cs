using System.Globalization;

namespace AspireRedis.Coordination.Regions.Permission;

/// <summary>Who may write: a region and its epoch, as it stands on servers (<c>eu 1764406800000000</c>).</summary>
internal readonly record struct RegionPermit(string Region, long Epoch)
{
    /// <summary>The permission in force. A key of a Sentinel deployment: there are no slots to match.</summary>
    public const string Key = "redis:region";

    /// <summary>The last one, in force or not, and its end: <c>eu 1764406800000000 1764406805000</c>.</summary>
    public const string LastKey = "redis:region:last";

    /// <summary>The last one of the region that was active before, as far as its writes had come.</summary>
    public const string FormerKey = "redis:region:former";

    /// <summary>The one that is being handed over to the other region, and not granted any more.</summary>
    public const string HandOverKey = "redis:region:hand-over";

    /// <summary>
    /// The active region, where that is another one whose writes do not come here: a region that was lost and is back learns it from its
    /// agent, which asks the witnesses.
    /// </summary>
    public const string ActiveKey = "redis:region:active";

    /// <summary>The surplus of a standby that is being made again, or was: so that it is not made twice.</summary>
    public const string ReplayedKey = "redis:region:replayed";

    /// <summary>Null for what is none.</summary>
    public static RegionPermit? Parse(string? text)
        => text?.Split(' ') is [{ Length: > 0 } region, var epoch, ..]
            && long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new RegionPermit(region, number) : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Region} {Epoch}");
}
