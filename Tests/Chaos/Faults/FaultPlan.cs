namespace AspireRedis.Chaos.Faults;

/// <summary>Chooses faults. The same seed gives the same faults; how the system takes them differs from run to run.</summary>
internal static class FaultPlan
{
    private const int Targets = 24;

    private static readonly FaultKind[] s_onlyWhenAskedFor =
        [FaultKind.SwitchOver, FaultKind.ClockBehindNaiveConsumer, FaultKind.ReplaceSentinelsWithoutReset];

    private static readonly FaultKind[] s_ofClusters =
        [FaultKind.CutPrimaryFromMajority, FaultKind.LoseShard, FaultKind.EmptyNode, FaultKind.MoveSlots, FaultKind.CutShortMove];

    private static readonly FaultKind[] s_ofSentinels =
    [
        FaultKind.FreezePrimaryUnseen, FaultKind.CutPrimaryFromSentinels, FaultKind.KillSentinel, FaultKind.FreezeSentinel,
        FaultKind.CutSentinel, FaultKind.ClockBehind, FaultKind.ReplaceSentinels, FaultKind.ClockBehindNaiveConsumer,
        FaultKind.ReplaceSentinelsWithoutReset,
    ];

    /// <summary>Those that servers can have.</summary>
    /// <param name="onCluster">Whether they are a cluster.</param>
    public static IReadOnlyList<FaultKind> Possible(bool onCluster)
        => [.. Enum.GetValues<FaultKind>().Except(onCluster ? s_ofSentinels : s_ofClusters)];

    /// <summary>The same without those that come only when they are asked for.</summary>
    public static IReadOnlyList<FaultKind> AllFaults(bool onCluster) => [.. Possible(onCluster).Except(s_onlyWhenAskedFor)];

    /// <summary>How long a fault of each kind may last, in seconds: from before Sentinel notices (2 s) to far behind a failover.</summary>
    private static readonly Dictionary<FaultKind, (double Least, double Most)> s_durations = new()
    {
        [FaultKind.KillPrimary] = (0.2, 6),
        [FaultKind.FreezePrimary] = (1, 10),
        [FaultKind.FreezePrimaryUnseen] = (3, 8),
        [FaultKind.IsolatePrimary] = (1, 8),
        [FaultKind.CutPrimaryFromSentinels] = (1, 8),
        [FaultKind.FillPrimaryDisk] = (1, 6),
        [FaultKind.KillReplica] = (0.2, 5),
        [FaultKind.FreezeReplica] = (1, 10),
        [FaultKind.FreezeReplicas] = (1, 5),
        [FaultKind.CutReplica] = (1, 6),
        [FaultKind.FillReplicaDisk] = (1, 5),
        [FaultKind.KillSentinel] = (0.2, 5),
        [FaultKind.FreezeSentinel] = (1, 10),
        [FaultKind.CutSentinel] = (1, 6),
        [FaultKind.KillService] = (0.2, 3),
        [FaultKind.FreezeService] = (1, 10),
        [FaultKind.CutServiceFromPrimary] = (1, 8),
        [FaultKind.CutServiceFromService] = (1, 8),
        [FaultKind.RestartAllNodes] = (0, 1),
        [FaultKind.ClockBehind] = (0.5, 2),
        [FaultKind.ReplaceSentinels] = (0, 0),
        [FaultKind.ClockBehindNaiveConsumer] = (1, 2),
        [FaultKind.ReplaceSentinelsWithoutReset] = (0, 0),
        [FaultKind.SwitchOver] = (0, 0),
        [FaultKind.CutPrimaryFromMajority] = (1, 8),
        [FaultKind.LoseShard] = (0.2, 3),
        [FaultKind.EmptyNode] = (0.2, 6),
        [FaultKind.MoveSlots] = (0, 0),
        [FaultKind.CutShortMove] = (0.5, 3),
    };

    /// <summary>The faults of a run. Each kind comes once before any comes again.</summary>
    /// <param name="seed">Of the random choice.</param>
    /// <param name="count">How many faults.</param>
    /// <param name="kinds">Of which kinds; the same kinds must be given for the same faults.</param>
    public static IReadOnlyList<Fault> Create(int seed, int count, IReadOnlyList<FaultKind> kinds)
    {
        var random = new Random(seed);
        var plan = new List<Fault>(count);
        while (plan.Count < count)
        {
            FaultKind[] deck = [.. kinds];
            random.Shuffle(deck);
            foreach (var kind in deck.Take(count - plan.Count))
            {
                var (least, most) = s_durations[kind];
                plan.Add(new Fault(kind, random.Next(Targets),
                    TimeSpan.FromMilliseconds(Math.Round(1000 * (least + (random.NextDouble() * (most - least)))))));
            }
        }
        return plan;
    }
}
