using System.Globalization;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Load;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos;

/// <summary>What the command line says.</summary>
internal sealed record ChaosOptions(int Faults, int Seed, IReadOnlyList<FaultKind> Kinds, int Rate, Durability Durability, int Partitions,
    string? Json, string? Plot)
{
    public const string Usage =
        """
        usage: eng/chaos --faults N [--seed S] [--only KIND,...] [--rate N] [--durability replica|memory] [--partitions N] [--json FILE]
                         [--plot FILE]

          --faults N      how many faults, 1 to 10000
          --seed S        repeats the faults of an earlier run: same kinds, targets and durations
          --only KIND     these kinds of faults only, such as KillPrimary,FreezeService; all when not given.
                          SwitchOver, a planned switchover, comes only when it is given; so do ClockBehindNaiveConsumer
                          and ReplaceSentinelsWithoutReset, controls in which violations must be found
          --rate N        customers per second, 1 to 1000; 20 when not given
          --durability D  what the services promise: replica (the default), or memory, which must be seen to lose orders
          --partitions N  into how many partitions the shop divides its keys, 1 to 64; 1 when not given
          --json FILE     the result for programs
          --plot FILE     the run over time, as SVG
        """;

    /// <exception cref="ArgumentException">An argument is missing, unknown or out of range; the message names it.</exception>
    public static ChaosOptions Parse(IReadOnlyList<string> arguments)
    {
        int? faults = null;
        var options = new ChaosOptions(0, Random.Shared.Next(1, 1_000_000), FaultPlan.AllFaults, Customers.DefaultRate, Durability.Replica,
            1, null, null);
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
                    options = options with { Kinds = [.. Value().Split(',').Select(Kind)] };
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
                    options = options with { Partitions = Number(name, Value(), 1, 64) };
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
