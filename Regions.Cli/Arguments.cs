namespace AspireRedis.Regions.Cli;

/// <summary>What the command line says.</summary>
/// <param name="Command">What to do.</param>
/// <param name="Region">To which region; null for the standby.</param>
/// <param name="IsJson">Whether the result is for programs.</param>
/// <param name="IsConfirmed">Whether nobody is asked.</param>
/// <param name="AcceptsLoss">Whether a standby is promoted that was not in sync.</param>
/// <param name="File">Where a failback writes what only the lost region has.</param>
/// <param name="AppendOnlyDirectory">Where the append-only file of its server is; null for where that says.</param>
/// <param name="Configuration">Where both regions and the witnesses are named.</param>
/// <param name="Directory">The folder of a backup.</param>
internal sealed record Arguments(
    string Command, string? Region, bool IsJson, bool IsConfirmed, bool AcceptsLoss, string? File,
    string? AppendOnlyDirectory, string Configuration, string? Directory)
{
    public const string Usage =
        """
        usage: eng/region status [--json]
               eng/region switch [REGION] [--json]
               eng/region promote [REGION] [--yes] [--accept-loss] [--json]
               eng/region failback [REGION] --file FILE [--aof FOLDER] [--json]
               eng/region backup [REGION] --to FOLDER [--json]
               eng/region restore --from FOLDER [--json]
               eng/region drill --promotions N [--rate N] [--latency MS] [--switches N] [--durability region|replica|memory] ...

          status          who is active, under which epoch, who holds the lease, and how far the standby is behind;
                          exit code 1 when the loss of a region could not be survived
          switch          hands over to the standby as planned: nothing is lost, writes are held up for a moment
          promote         makes the standby the active region after the loss of the active one, when its lease is over;
                          says what is lost and asks
          failback        makes a region that was lost and came back a standby again; what only it has written goes to --file first,
                          which must not exist, a line of JSON for each write
          backup          copies what a region, the standby when none is named, has at one moment to --to, which must be empty or not exist
          restore         writes the backup in --from into the active region, and so into the standby; both must be empty. Then looks
                          whether the orders, the stock and the counts in it fit together
          drill           loses regions of a system of its own under real orders, again and again, and counts what is lost
          --yes           asks nobody
          --accept-loss   promotes a standby that was not in sync
          --aof FOLDER    where the append-only file of the lost region's server is; where the server says when not given
          --json          the result for programs, on standard output; progress goes to standard error
          --config FILE   names both regions and the witnesses (the section Regions as JSON); .run/regions.json when not given

        REGION may be given as --region REGION, too. restore runs redis-server, or what REDIS_SERVER names, to read the file.

        Exit codes: 0 done, 1 refused and nothing changed, 2 wrong arguments, 3 begun and not ended, 4 restored, and what was restored
        does not fit together, 130 stopped.
        """;

    /// <summary>The environment variable that names the configuration.</summary>
    public const string ConfigurationVariable = "REGION_CONFIG";

    public static readonly string[] Commands = ["status", "switch", "promote", "failback", "backup", "restore"];

    /// <exception cref="ArgumentException">An argument is missing, unknown or has no place; the message names it.</exception>
    public static Arguments Parse(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0)
        {
            throw new ArgumentException("A command is missing.");
        }
        var command = arguments[0];
        if (!Commands.Contains(command))
        {
            throw new ArgumentException($"There is no command '{command}'.");
        }
        var parsed = new Arguments(command, null, false, false, false, null, null,
            Environment.GetEnvironmentVariable(ConfigurationVariable) is { Length: > 0 } named ? named : Path.Combine(".run", "regions.json"), null);
        for (var i = 1; i < arguments.Count; i++)
        {
            parsed = arguments[i] switch
            {
                "--json" => parsed with { IsJson = true },
                "--yes" when command == "promote" => parsed with { IsConfirmed = true },
                "--accept-loss" when command == "promote" => parsed with { AcceptsLoss = true },
                "--config" => parsed with { Configuration = Value("--config", ref i) },
                "--file" when command == "failback" => parsed with { File = Value("--file", ref i) },
                "--aof" when command == "failback" => parsed with { AppendOnlyDirectory = Value("--aof", ref i) },
                "--to" when command == "backup" => parsed with { Directory = Value("--to", ref i) },
                "--from" when command == "restore" => parsed with { Directory = Value("--from", ref i) },
                "--region" when TakesRegion(command) && parsed.Region is null => parsed with { Region = Value("--region", ref i) },
                var other when other.StartsWith('-') => throw new ArgumentException($"{command} has no option '{other}'."),
                var region when TakesRegion(command) && parsed.Region is null => parsed with { Region = region },
                var other => throw new ArgumentException($"'{other}' has no place."),
            };
        }
        return command switch
        {
            "failback" when parsed.File is null => throw new ArgumentException("failback needs --file."),
            "backup" when parsed.Directory is null => throw new ArgumentException("backup needs --to."),
            "restore" when parsed.Directory is null => throw new ArgumentException("restore needs --from."),
            _ => parsed,
        };

        string Value(string name, ref int i)
            => ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"{name} needs a value.");
    }

    // What is restored goes where it may be written.
    private static bool TakesRegion(string command) => command is not ("status" or "restore");
}
