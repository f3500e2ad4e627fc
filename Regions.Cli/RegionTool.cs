using System.Diagnostics;
using System.Runtime.InteropServices;
using AspireRedis.Client;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;

namespace AspireRedis.Regions.Cli;

/// <summary>Names what does not fit together in a region.</summary>
internal delegate Task<IReadOnlyList<string>> RegionCheck(
    RegionOptions options, string region, TextWriter progress, CancellationToken cancellationToken);

/// <summary>What <c>eng/region</c> does.</summary>
internal static class RegionTool
{
    /// <summary>As a program: on the console, until it ends or is stopped by a signal.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="check">See <see cref="RunAsync"/>.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunOnConsoleAsync(IReadOnlyList<string> arguments, RegionCheck? check = null)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        return await RunAsync(arguments, Console.In, Console.Out, Console.Error, stopping.Token, check);

        void Stop(PosixSignalContext signal)
        {
            // Not the default: what is decided is brought to its end.
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    /// <param name="arguments">The command line.</param>
    /// <param name="input">Where a confirmation comes from.</param>
    /// <param name="output">Gets the result.</param>
    /// <param name="progress">Gets everything else.</param>
    /// <param name="cancellationToken">Ends it, as long as nothing is decided.</param>
    /// <param name="check">
    /// Names what does not fit together in the active region, of whose application the tool itself knows nothing; null for no check.
    /// </param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TextReader input, TextWriter output, TextWriter progress, CancellationToken cancellationToken,
        RegionCheck? check = null)
    {
        Arguments parsed;
        RegionOptions options;
        try
        {
            parsed = Arguments.Parse(arguments);
            options = Read(parsed.Configuration);
        }
        catch (Exception e) when (e is ArgumentException or IOException or FormatException or InvalidDataException)
        {
            await progress.WriteLineAsync(e is ArgumentException ? $"{e.Message}\n\n{Arguments.Usage}" : e.Message);
            return ExitCode.Usage;
        }
        try
        {
            return parsed.Command switch
            {
                "status" => await StatusAsync(parsed, options, output, cancellationToken),
                "switch" => await SwitchAsync(parsed, options, output, progress, cancellationToken),
                "failback" => await FailbackAsync(parsed, options, output, progress, cancellationToken),
                "backup" => await BackupAsync(parsed, options, output, progress, cancellationToken),
                "restore" => await RestoreAsync(parsed, options, output, progress, check, cancellationToken),
                _ => await PromoteAsync(parsed, options, input, output, progress, cancellationToken),
            };
        }
        catch (RegionException e)
        {
            Fail(e.Message, e.IsChanged);
            return e.IsChanged ? ExitCode.Begun : ExitCode.Refused;
        }
        catch (ArgumentException e)
        {
            Fail(e.Message, isChanged: false);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Fail("Stopped; nothing is changed.", isChanged: false);
            return ExitCode.Stopped;
        }

        void Fail(string message, bool isChanged)
        {
            progress.WriteLine(message);
            if (parsed.IsJson)
            {
                Reports.WriteError(output, message, isChanged);
            }
        }
    }

    private static RegionOptions Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException(
                $"{path} does not exist: no regions run here. Start them with './run --regions', or name a configuration with --config.");
        }
        var options = new RegionOptions();
        options.Bind(new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(path)).Build());
        return options;
    }

    private static async Task<int> StatusAsync(Arguments arguments, RegionOptions options, TextWriter output,
        CancellationToken cancellationToken)
    {
        await using var looking = new RegionOperator(options);
        var status = await looking.StatusAsync(cancellationToken);
        if (arguments.IsJson)
        {
            Reports.WriteJson(output, status);
        }
        else
        {
            Reports.Write(output, status);
        }
        return Reports.Missing(status) is null ? ExitCode.Done : ExitCode.Refused;
    }

    private static async Task<int> SwitchAsync(Arguments arguments, RegionOptions options, TextWriter output, TextWriter progress,
        CancellationToken cancellationToken)
    {
        var region = arguments.Region ?? await StandbyAsync(options, cancellationToken);
        await using var operation = Within(region, options, progress);
        return Report(arguments, await operation.SwitchAsync(region, cancellationToken), output);
    }

    private static async Task<int> FailbackAsync(Arguments arguments, RegionOptions options, TextWriter output, TextWriter progress,
        CancellationToken cancellationToken)
    {
        if (File.Exists(arguments.File))
        {
            // What an earlier one has saved is nowhere else any more.
            throw new RegionException($"{arguments.File} is there already and is not overwritten; name another file.");
        }
        var region = arguments.Region ?? await StandbyAsync(options, cancellationToken);
        await using var operation = Within(region, options, progress);
        var result = await operation.FailbackAsync(region, arguments.File!, arguments.AppendOnlyDirectory, cancellationToken);
        if (arguments.IsJson)
        {
            Reports.WriteJson(output, result);
        }
        else
        {
            Reports.Write(output, result);
        }
        return ExitCode.Done;
    }

    private static async Task<int> BackupAsync(Arguments arguments, RegionOptions options, TextWriter output, TextWriter progress,
        CancellationToken cancellationToken)
    {
        var region = arguments.Region ?? await StandbyAsync(options, cancellationToken);
        await using var operation = Within(region, options, progress);
        var began = Stopwatch.GetTimestamp();
        var backup = await operation.BackupAsync(region, arguments.Directory!, new ProgressLine(progress, "bytes"), cancellationToken);
        Reports.Write(output, arguments.IsJson, backup, Path.GetFullPath(arguments.Directory!), Stopwatch.GetElapsedTime(began));
        return ExitCode.Done;
    }

    private static async Task<int> RestoreAsync(Arguments arguments, RegionOptions options, TextWriter output, TextWriter progress,
        RegionCheck? check, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var backup = await RegionBackup.OpenAsync(arguments.Directory!, cancellationToken);
        await progress.WriteLineAsync($"The backup of {backup.Region} of {backup.TakenAt:u} is whole.");
        RegionRestoreResult result;
        await using (var loaded = await SnapshotServer.StartAsync(
            Path.Combine(arguments.Directory!, RegionBackup.DataFile), progress, cancellationToken))
        {
            await using var looking = new RegionOperator(options);
            var active = (await looking.StatusAsync(cancellationToken)).ActiveRegion
                ?? throw new RegionException("No region is active: its agent makes it so, or promote one.");
            await using var operation = Within(active, options, progress);
            result = await operation.RestoreAsync(loaded.Connection, new ProgressLine(progress, "keys"), cancellationToken);
        }
        var took = Stopwatch.GetElapsedTime(began);
        // What is restored is there, whatever becomes of the check.
        var violations = check is null ? null : await CheckAsync(check, options, result.Region, progress, cancellationToken);
        Reports.Write(output, arguments.IsJson, result, took, violations);
        return violations is { Count: > 0 } ? ExitCode.Inconsistent : ExitCode.Done;
    }

    private static async Task<IReadOnlyList<string>> CheckAsync(RegionCheck check, RegionOptions options, string region,
        TextWriter progress, CancellationToken cancellationToken)
    {
        try
        {
            return await check(options, region, progress, cancellationToken);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or OperationCanceledException)
        {
            throw new RegionException($"The backup is in {region}, and could not be checked: {e.Message}", isChanged: true, e);
        }
    }

    private static async Task<string> StandbyAsync(RegionOptions options, CancellationToken cancellationToken)
    {
        await using var looking = new RegionOperator(options);
        return (await looking.StatusAsync(cancellationToken)).Regions.First(r => !r.IsActive).Name;
    }

    /// <summary>From within a region: the other one and the line to it may be what is lost. An unknown one the operation refuses.</summary>
    private static RegionOperator Within(string region, RegionOptions options, TextWriter progress)
    {
        options.Name = options.Regions.Any(r => r.Name == region) ? region : options.Name;
        return new RegionOperator(options, logger: new ProgressLogger(progress));
    }

    private static int Report(Arguments arguments, RegionPromotionResult result, TextWriter output)
    {
        if (arguments.IsJson)
        {
            Reports.WriteJson(output, result);
        }
        else
        {
            Reports.Write(output, result);
        }
        return ExitCode.Done;
    }

    private static async Task<int> PromoteAsync(Arguments arguments, RegionOptions options, TextReader input, TextWriter output,
        TextWriter progress, CancellationToken cancellationToken)
    {
        RegionStatus status;
        await using (var looking = new RegionOperator(options))
        {
            status = await looking.StatusAsync(cancellationToken);
        }
        var standby = status.Regions.First(r => !r.IsActive);
        var region = arguments.Region ?? standby.Name;
        if (region == standby.Name && status.LeaseHolder is null)
        {
            await progress.WriteLineAsync(Reports.RpoOf(standby, status.ActiveRegion ?? "the other region"));
            if (!arguments.IsConfirmed)
            {
                await progress.WriteAsync($"Type {region} to promote it: ");
                await progress.FlushAsync(cancellationToken);
                if ((await input.ReadLineAsync(cancellationToken))?.Trim() != region)
                {
                    throw new RegionException("That was not its name; nothing is changed.");
                }
            }
        }
        await using var operation = Within(region, options, progress);
        return Report(arguments, await operation.PromoteAsync(region, arguments.AcceptsLoss, cancellationToken), output);
    }
}
