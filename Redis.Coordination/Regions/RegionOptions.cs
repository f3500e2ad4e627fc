using AspireRedis.Coordination.Locking.Redlock;

namespace AspireRedis.Coordination.Regions;

/// <summary>Two regions, one of which accepts writes, and which of them this process is in.</summary>
/// <remarks>
/// Assumed of clocks: those of servers, witnesses and agents run at the same speed within 1%, and no server's clock is set back while
/// a permission is in force. They need not show the same time: the end of a permission is written in the time of the server that
/// holds it, which is measured anew for each.
/// </remarks>
public sealed class RegionOptions
{
    /// <summary>The region of this process; one of <see cref="Regions"/>.</summary>
    public string Name { get; set; } = "";

    /// <summary>Both regions. A service needs its own only; agents and operators need both.</summary>
    public IList<RegionDefinition> Regions { get; } = [];

    /// <summary>
    /// The witnesses: independent servers, three at least and an odd number, one of them outside of both regions:
    /// <c>host:port,host:port,host:port,password=x</c>. A service needs none.
    /// </summary>
    public string Witnesses { get; set; } = "";

    /// <summary>
    /// How long the right to accept writes lasts without a renewal: what the loss of a region costs before the other one may be
    /// promoted. Default 5 s, 1 s to a minute. It must outlast a failover inside of the region.
    /// </summary>
    public TimeSpan LeaseTtl { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often state is looked at. Default 250 ms, 20 ms to a tenth of a minute.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long to wait for one answer of a node. Default 1 s, 50 ms to a minute.</summary>
    public TimeSpan NodeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether the agent of the standby promotes it by itself when the active region is lost. Default false: a person does. What was
    /// acknowledged and had not arrived is then lost without anybody having been asked.
    /// </summary>
    public bool PromoteAutomatically { get; set; }

    /// <summary>
    /// For how long no primary of the active region may have been reached before it is replaced automatically; its lease must be over
    /// as well. Default 2 s.
    /// </summary>
    public TimeSpan PromoteAfter { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// For how long the standby may have heard nothing from the active region, before that was lost, to be promoted automatically: a
    /// standby that was cut off while the other region went on would lose as much. Default 15 s; a link that is idle is silent for 10 s.
    /// </summary>
    public TimeSpan LongestSilence { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Which region is the active one when there has been none yet; null for the first of <see cref="Regions"/>.</summary>
    public string? InitialRegion { get; set; }

    /// <summary>How long a planned switch may hold up writes. Default 5 s, not below <see cref="LeaseTtl"/>; it gives up after half of
    /// it.</summary>
    public TimeSpan LongestHold { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How far the standby may be behind when a planned switch begins, in bytes. Default 1 MiB.</summary>
    public long LargestLag { get; set; } = 1 << 20;

    /// <summary><c>down-after-milliseconds</c> of the Sentinels of a region that is promoted. Default 2 s.</summary>
    public TimeSpan DownAfter { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary><c>failover-timeout</c> of the Sentinels of a region that is promoted. Default 5 s.</summary>
    public TimeSpan FailoverTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a witness that has just started counts. Default <see cref="Locking.Redlock.RestartedNodes.StayOut"/>, for
    /// <see cref="LeaseTtl"/>.
    /// </summary>
    public RestartedNodes RestartedWitnesses { get; set; }

    /// <summary>The region of this process.</summary>
    internal RegionDefinition Own => this[Name];

    /// <summary>The other one.</summary>
    internal RegionDefinition Other => Regions.First(r => r.Name != Name);

    internal string Initial => InitialRegion ?? Regions[0].Name;

    /// <exception cref="ArgumentException">There is no such region.</exception>
    internal RegionDefinition this[string name]
        => Regions.FirstOrDefault(r => r.Name == name)
            ?? throw new ArgumentException($"There is no region '{name}'; there are {string.Join(" and ", Regions.Select(r => r.Name))}.");

    /// <param name="isService">Only its own region is needed.</param>
    internal void Validate(bool isService)
    {
        foreach (var region in Regions)
        {
            region.Validate();
        }
        Require(Regions.Any(r => r.Name == Name), nameof(Name), $"'{Name}' is none of {nameof(Regions)}");
        Require(Interval >= TimeSpan.FromMilliseconds(20) && Interval <= TimeSpan.FromSeconds(6), nameof(Interval),
            "must be between 20 ms and 6 s");
        Require(NodeTimeout >= TimeSpan.FromMilliseconds(50) && NodeTimeout <= TimeSpan.FromMinutes(1), nameof(NodeTimeout),
            "must be between 50 ms and a minute");
        if (isService)
        {
            return;
        }
        Require(Regions.Count == 2 && Regions[0].Name != Regions[1].Name, nameof(Regions), "must hold two regions with different names");
        Require(Regions[0].Service != Regions[1].Service, nameof(Regions),
            "must have different service names: hellos flow down the replication, and with one name all the Sentinels merge");
        Require(Regions[0].AuthPassword is { } one && Regions[1].AuthPassword is { } other && one != other, nameof(Regions),
            "must have different passwords: only that keeps the Sentinels of one region from commanding servers of the other");
        Require(!Regions[0].ServerNodes.Intersect(Regions[1].ServerNodes).Any(), nameof(Regions), "must not share a server");
        Require(Regions.Any(r => r.Name == Initial), nameof(InitialRegion), $"'{InitialRegion}' is none of {nameof(Regions)}");
        Require(LeaseTtl >= TimeSpan.FromSeconds(1) && LeaseTtl <= TimeSpan.FromMinutes(1), nameof(LeaseTtl),
            "must be between 1 s and a minute");
        Require(Interval <= LeaseTtl / 4, nameof(Interval), $"must not be above a fourth of {nameof(LeaseTtl)}");
        Require(PromoteAfter >= TimeSpan.Zero, nameof(PromoteAfter), "must not be negative");
        Require(LongestSilence >= TimeSpan.Zero, nameof(LongestSilence), "must not be negative");
        Require(LongestHold >= LeaseTtl && LongestHold <= TimeSpan.FromMinutes(1), nameof(LongestHold),
            $"must be between {nameof(LeaseTtl)} and a minute: writes are held up until the permission is over, whatever fails");
        Require(LargestLag >= 0, nameof(LargestLag), "must not be negative");
        Require(DownAfter >= TimeSpan.FromMilliseconds(1500), nameof(DownAfter), "must be at least 1500 ms");
        Require(FailoverTimeout >= DownAfter, nameof(FailoverTimeout), $"must not be below {nameof(DownAfter)}");
        Require(WitnessOptions().Validate().Count >= 3, nameof(Witnesses), "must name at least three independent servers");
    }

    internal RedlockOptions WitnessOptions()
    {
        var witnesses = new RedlockOptions { MaxTtl = LeaseTtl, NodeTimeout = NodeTimeout, RestartedNodes = RestartedWitnesses };
        witnesses.AddNodes(Witnesses);
        return witnesses;
    }

    private static void Require(bool condition, string option, string complaint)
    {
        if (!condition)
        {
            throw new ArgumentException($"{nameof(RegionOptions)}.{option} {complaint}.", option);
        }
    }
}
