using System.Globalization;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos.Regions;

/// <summary>What the command line of <c>eng/region drill</c> says.</summary>
internal sealed record RegionDrillOptions(
    int Promotions, int Switches, int Rate, TimeSpan Latency, Durability Durability, int Seed, string? Json)
{
    /// <summary>
    /// A control: services of the region that is active at first know of no regions, so nothing they write is checked. Stale writes must be
    /// found then.
    /// </summary>
    public bool WithoutPermissionCheck { get; init; }

    /// <summary>Orders in a backup; 0 for a drill of losses.</summary>
    public int BackupOrders { get; init; }

    public const string Usage =
        """
        usage: eng/region drill --promotions N [--switches N] [--rate N] [--latency MS] [--durability region|replica|memory]
                                [--seed S] [--json FILE] [--without-permission-check]
               eng/region drill --backup-orders N [--latency MS] [--durability region|replica|memory] [--seed S] [--json FILE]

          --promotions N  how often the active region is lost, 0 to 1000: everything in it is killed with -9 at once, and the other
                          one is promoted, by its agent and by command in turns
          --switches N    how often it is switched as planned before that, 0 to 1000; 0 when not given
          --backup-orders N
                          places N orders, 1 to 1000000, takes a backup of the standby, loses everything, restores it into an
                          empty system, and checks what is there; with the times
          --rate N        customers per second, 1 to 1000; 50 when not given
          --latency MS    of the line between the regions in each direction, 0 to 1000; 80 when not given
          --durability D  what the services promise: replica (the default), region, which must lose nothing and sells
                          nothing while there is no standby, or memory
          --without-permission-check
                          a control: services of the first region know of no regions, so what they write when it is back is not
                          checked; a broken promise must be found
          --seed S        for what customers buy
          --json FILE     the result for programs

        Exit codes: 0 no promise was broken, 1 one was, 2 wrong arguments, 130 stopped.
        """;

    /// <exception cref="ArgumentException">An argument is missing, unknown or out of range; the message names it.</exception>
    public static RegionDrillOptions Parse(IReadOnlyList<string> arguments)
    {
        int? promotions = null;
        var options = new RegionDrillOptions(0, 0, 50, TimeSpan.FromMilliseconds(80), Durability.Replica,
            Random.Shared.Next(1, 1_000_000), null);
        for (var i = 0; i < arguments.Count; i += 2)
        {
            var name = arguments[i];
            if (name == "--without-permission-check")
            {
                options = options with { WithoutPermissionCheck = true };
                i--;
                continue;
            }
            var value = i + 1 < arguments.Count ? arguments[i + 1] : throw new ArgumentException($"{name} needs a value.");
            switch (name)
            {
                case "--promotions":
                    promotions = Number(name, value, 0, 1000);
                    break;
                case "--switches":
                    options = options with { Switches = Number(name, value, 0, 1000) };
                    break;
                case "--backup-orders":
                    options = options with { BackupOrders = Number(name, value, 1, 1_000_000) };
                    break;
                case "--rate":
                    options = options with { Rate = Number(name, value, 1, 1000) };
                    break;
                case "--latency":
                    options = options with { Latency = TimeSpan.FromMilliseconds(Number(name, value, 0, 1000)) };
                    break;
                case "--durability":
                    options = options with
                    {
                        Durability = value switch
                        {
                            "replica" => Durability.Replica,
                            "region" => Durability.Region,
                            "memory" => Durability.Memory,
                            _ => throw new ArgumentException($"--durability must be region, replica or memory, was '{value}'."),
                        },
                    };
                    break;
                case "--seed":
                    options = options with { Seed = Number(name, value, 0, int.MaxValue) };
                    break;
                case "--json":
                    options = options with
                    {
                        Json = Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(value))) ? value
                            : throw new ArgumentException($"{name}: the folder of '{value}' does not exist."),
                    };
                    break;
                default:
                    throw new ArgumentException($"There is no option '{name}'.");
            }
        }
        return options.BackupOrders > 0
            ? promotions is null && options.Switches == 0 ? options
                : throw new ArgumentException("--backup-orders goes with neither --promotions nor --switches.")
            : options with { Promotions = promotions ?? throw new ArgumentException("--promotions is missing.") };
    }

    private static int Number(string name, string value, int least, int most)
        => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{name} must be a number from {least} to {most}, was '{value}'.");
}
