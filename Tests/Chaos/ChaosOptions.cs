using System.Globalization;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Load;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos;

/// <summary>What the command line says.</summary>
internal sealed record ChaosOptions(int Faults, int Seed, IReadOnlyList<FaultKind> Kinds, int Rate, Durability Durability, int Partitions,
    bool OnCluster, string? Json, string? Plot)
{
    private const int PartitionsOfCluster = 8;

    public const string Usage =
        """
        usage: eng/chaos --faults N [--seed S] [--topology sentinel|cluster] [--only KIND,...] [--rate N] [--durability replica|memory]
                         [--partitions N] [--json FILE] [--plot FILE]

          --faults N      how many faults, 1 to 10000
          --seed S        repeats the faults of an earlier run: same kinds, targets and durations
          --topology T    what the shop stands on: sentinel (the default), or cluster, three primaries with a replica each
          --only KIND     these kinds of faults only, such as KillPrimary,FreezeService; all when not given.
                          SwitchOver, a planned switchover, comes only when it is given; so do ClockBehindNaiveConsumer
                          and ReplaceSentinelsWithoutReset, controls in which violations must be found
          --rate N        customers per second, 1 to 1000; 20 when not given
          --durability D  what the services promise: replica (the default), or memory, which must be seen to lose orders
          --partitions N  into how many partitions the shop divides its keys, 1 to 64; 1 when not given, and on a cluster 8
          --json FILE     the result for programs
          --plot FILE     the run over time, as SVG
        """;

    /// <exception cref="ArgumentException">An argument is missing, unknown or out of range; the message names it.</exception>
    public static ChaosOptions Parse(IReadOnlyList<string> arguments)
    {
        int? faults = null;
        int? partitions = null;
        IReadOnlyList<FaultKind>? kinds = null;
        var options = new ChaosOptions(
            0, Random.Shared.Next(1, 1_000_000), [], Customers.DefaultRate, Durability.Replica, 1, false, null, null);
        for (var i = 0; i < arguments.Count; i += 2)
        {
            var name = arguments[i];
            string Value() => i + 1 < arguments.Count ? arguments[i + 1] : throw new ArgumentException($"{name} needs a value.");
            switch (name)
            {
                case "--faults":
                    faults = Number(name, Value(), 1, 10_000);
                    break;
                case "--seed":
                    options = options with { Seed = Number(name, Value(), 0, int.MaxValue) };
                    break;
                case "--only":
                    kinds = [.. Value().Split(',').Select(Kind)];
                    break;
                case "--topology":
                    options = options with
                    {
                        OnCluster = Value() switch
                        {
                            "sentinel" => false,
                            "cluster" => true,
                            var other => throw new ArgumentException($"--topology must be sentinel or cluster, was '{other}'."),
                        },
                    };
                    break;
                case "--rate":
                    options = options with { Rate = Number(name, Value(), 1, 1000) };
                    break;
                case "--durability":
                    options = options with
                    {
                        Durability = Value() switch
                        {
                            "replica" => Durability.Replica,
                            "memory" => Durability.Memory,
                            var other => throw new ArgumentException($"--durability must be replica or memory, was '{other}'."),
                        },
                    };
                    break;
                case "--partitions":
                    partitions = Number(name, Value(), 1, 64);
                    break;
                case "--json":
                    options = options with { Json = File(name, Value()) };
                    break;
                case "--plot":
                    options = options with { Plot = File(name, Value()) };
                    break;
                default:
                    throw new ArgumentException($"There is no option '{name}'.");
            }
        }
        options = options with
        {
            Kinds = kinds ?? FaultPlan.AllFaults(options.OnCluster),
            Partitions = partitions ?? (options.OnCluster ? PartitionsOfCluster : 1),
        };
        if (options.Kinds.Except(FaultPlan.Possible(options.OnCluster)).ToArray() is [var impossible, ..])
        {
            throw new ArgumentException($"--only: {impossible} is no fault of --topology {(options.OnCluster ? "cluster" : "sentinel")}.");
        }
        if (options is { OnCluster: true, Partitions: 1 })
        {
            throw new ArgumentException("--partitions must be more than 1 on a cluster.");
        }
        if (options.Partitions > 1 && options.Kinds.Contains(FaultKind.ClockBehindNaiveConsumer))
        {
            throw new ArgumentException("--partitions must be 1 with ClockBehindNaiveConsumer, which takes part in one stream.");
        }
        return options with { Faults = faults ?? throw new ArgumentException("--faults is missing.") };
    }

    private static int Number(string name, string value, int least, int most)
        => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{name} must be a number from {least} to {most}, was '{value}'.");

    private static FaultKind Kind(string name)
        => Enum.GetNames<FaultKind>().Contains(name)
            ? Enum.Parse<FaultKind>(name)
            : throw new ArgumentException($"--only: there is no fault '{name}', but {string.Join(", ", Enum.GetNames<FaultKind>())}.");

    // Before the run, not half an hour later.
    private static string File(string name, string value)
        => value.Length > 0 && Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(value)))
            ? value
            : throw new ArgumentException($"{name}: the folder of '{value}' does not exist.");
}
