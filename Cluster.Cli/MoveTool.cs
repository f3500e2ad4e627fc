using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AspireRedis.Contracts;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>What <c>eng/to-cluster</c> does.</summary>
internal static class MoveTool
{
    // Enough to keep both servers busy.
    private const int Batch = 250;
    private const int Batches = 4;

    private const string Consent = "yes";

    private static readonly TimeSpan s_progress = TimeSpan.FromSeconds(1);

    /// <summary>As a program: on the console, until it ends or is stopped by a signal.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunOnConsoleAsync(IReadOnlyList<string> arguments)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        return await RunAsync(arguments, Console.In, Console.Out, Console.Error, stopping.Token);

        void Stop(PosixSignalContext signal)
        {
            // Not the default: it says in which state it leaves the cluster.
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    /// <param name="arguments">The command line.</param>
    /// <param name="input">Where a confirmation comes from.</param>
    /// <param name="output">Gets the result.</param>
    /// <param name="progress">Gets everything else.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TextReader input, TextWriter output, TextWriter progress, CancellationToken cancellationToken)
    {
        Arguments parsed;
        try
        {
            parsed = Arguments.Parse(arguments);
            _ = Source.OptionsOf(parsed.From);
            _ = Source.OptionsOf(parsed.To);
        }
        catch (ArgumentException e)
        {
            await progress.WriteLineAsync($"{e.Message}\n\n{Arguments.Usage}");
            return ExitCode.Usage;
        }
        var isBegun = false;
        try
        {
            var report = await MoveAsync(parsed, input, progress, () => isBegun = true, cancellationToken);
            report.Write(output, parsed.IsJson);
            return report.Differences.Count == 0 ? ExitCode.Done : ExitCode.Differs;
        }
        catch (MoveException e)
        {
            return Fail(e.Message, e.ExitCode);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return Fail(e.Message, ExitCode.Refused);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Fail("Stopped.", ExitCode.Stopped);
        }

        int Fail(string message, int exitCode)
        {
            var text = isBegun ? $"{message} The cluster has a part of the keys: it must be emptied before this is run again." : message;
            progress.WriteLine(text);
            if (parsed.IsJson)
            {
                MoveReport.WriteError(output, text, isBegun);
            }
            return isBegun ? ExitCode.Begun : exitCode;
        }
    }

    private static async Task<MoveReport> MoveAsync(
        Arguments arguments, TextReader input, TextWriter progress, Action begun, CancellationToken cancellationToken)
    {
        await using var target = await Target.OpenAsync(arguments.To);
        await using var source = await Source.OpenAsync(arguments.From, cancellationToken);
        var (before, after) = await PartitionsAsync(source.Database, arguments.Partitions);
        var keys = new ShopKeys(before, after);
        var division = new Division(source.Database, target.Database, keys, after.Count);

        var all = await FindAsync(source, keys, before.Count == 1, cancellationToken);
        var moved = all.Where(k => k.Place.Fate != KeyFate.LeftBehind).ToList();
        var left = all.Where(k => k.Place.Fate == KeyFate.LeftBehind).ToList();
        if (moved.Count == 0)
        {
            throw new MoveException($"{source.Name} has nothing of a shop.");
        }
        foreach (var (stream, _) in moved.Where(k => k.Place is { Kind: ShopKeys.Streams, Fate: KeyFate.Divided }))
        {
            if (await division.UnsettledAsync(stream) is { Count: > 0 } unsettled)
            {
                throw new MoveException($"Events are not handled yet: {string.Join("; ", unsettled)}. In other partitions it could not be told "
                    + "what a group has done. Start the services, place no orders until everything is handled, and stop them again.");
            }
        }
        await SayAsync(progress, "To move", CountOf(moved));
        await SayAsync(progress, "Left behind", CountOf(left));
        if (!arguments.IsConfirmed)
        {
            await progress.WriteAsync(string.Create(CultureInfo.InvariantCulture,
                $"From {source.Name} in {before.Count} into the cluster in {after.Count} partitions. Type {Consent} to begin: "));
            await progress.FlushAsync(cancellationToken);
            if ((await input.ReadLineAsync(cancellationToken))?.Trim() != Consent)
            {
                throw new MoveException("Nothing is changed.");
            }
        }
        cancellationToken.ThrowIfCancellationRequested();

        await target.BeginAsync(source.Name, after.Count);
        begun();
        var began = Stopwatch.GetTimestamp();
        await ForEachAsync(moved, progress, "copied", key => key.Place.Fate == KeyFate.Divided ? division.CopyAsync(key.Key, key.Place)
            : Copying.CopyAsync(source.Database, target.Database, key.Key, key.Place.Target), cancellationToken);
        var records = before.Count == 1 ? new[] { after.OrderPlaced.Key, after.Email.Key } : [];
        foreach (var topic in records)
        {
            // As the first service would, which has nothing to compare then.
            await target.Database.HashSetAsync(topic, [new("name", after.Orders.Name), new("partitions", after.Count)]);
        }
        var copied = Stopwatch.GetElapsedTime(began);
        await source.ThrowIfUsedAsync(ExitCode.Begun);

        var differences = new ConcurrentBag<string>();
        var expected = new ConcurrentBag<string>(records);
        await ForEachAsync(moved, progress, "compared", CompareAsync, cancellationToken);
        var there = await target.KeysAsync();
        await CompareTotalsAsync();
        await source.ThrowIfUsedAsync(ExitCode.Begun);
        var replicas = differences.IsEmpty ? await target.EndAsync() : null;
        return new MoveReport(source.Name, before.Count, after.Count, CountOf(moved), CountOf(left), there.Count, replicas,
            Seconds(copied), Seconds(Stopwatch.GetElapsedTime(began) - copied), [.. differences.Order(StringComparer.Ordinal)]);

        async Task CompareAsync((string Key, KeyPlace Place) key)
        {
            if (key.Place.Fate == KeyFate.Divided)
            {
                var found = new List<string>();
                foreach (var part in await division.CompareAsync(key.Key, key.Place, found))
                {
                    expected.Add(part);
                }
                found.ForEach(differences.Add);
                return;
            }
            expected.Add(key.Place.Target);
            if (await Copying.CompareAsync(source.Database, target.Database, key.Key, key.Place.Target) is { } difference)
            {
                differences.Add(difference);
            }
        }

        async Task CompareTotalsAsync()
        {
            var wanted = expected.ToHashSet(StringComparer.Ordinal);
            var ofTarget = new ShopKeys(after, after);
            List<(string, KeyPlace)> placed = [];
            foreach (var key in there)
            {
                if (ofTarget.Find(key) is { } place && place.Target == key && wanted.Contains(key))
                {
                    placed.Add((key, place));
                }
                else
                {
                    differences.Add($"{key} is in the cluster, and not of the source or not where it belongs");
                }
            }
            var inSource = await ShopTotals.ReadAsync(source.Database, moved);
            var inCluster = await ShopTotals.ReadAsync(target.Database, placed);
            foreach (var name in inSource.Keys.Union(inCluster.Keys))
            {
                if (inSource.GetValueOrDefault(name) is var one && inCluster.GetValueOrDefault(name) is var other && one != other)
                {
                    differences.Add(string.Create(CultureInfo.InvariantCulture, $"{name}: {one} in the source and {other} in the cluster"));
                }
            }
        }
    }

    /// <summary>How the source has the shop, and how the cluster will.</summary>
    private static async Task<(ShopPartitions Before, ShopPartitions After)> PartitionsAsync(IDatabase source, int? wanted)
    {
        var one = new ShopPartitions(1);
        foreach (var topic in (string[])[one.OrderPlaced.Key, one.Email.Key])
        {
            if (await source.KeyTypeAsync(topic) == RedisType.Hash)
            {
                var number = ShopPartitions.Parse(await source.HashGetAsync(topic, "partitions"));
                return wanted is null || wanted == number.Count ? (number, number)
                    : throw new MoveException(string.Create(CultureInfo.InvariantCulture,
                        $"The shop is in {number.Count} partitions, and keeps them: --partitions {wanted} cannot be."));
            }
        }
        return (one, new ShopPartitions(wanted ?? Arguments.DefaultPartitions));
    }

    /// <exception cref="MoveException">A key is of no known kind.</exception>
    private static async Task<List<(string Key, KeyPlace Place)>> FindAsync(
        Source source, ShopKeys keys, bool mayMove, CancellationToken cancellationToken)
    {
        // Some may come twice.
        var names = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var key in source.Server.KeysAsync(source.Database.Database, pageSize: 1000).WithCancellation(cancellationToken))
        {
            names.Add((string)key!);
        }
        List<(string, KeyPlace)> found = [];
        List<string> unknown = [];
        foreach (var name in names)
        {
            // In several partitions it has the name that it will have.
            if (keys.Find(name) is { } place && (mayMove || place.Target == name))
            {
                found.Add((name, place));
            }
            else
            {
                unknown.Add(name);
            }
        }
        return unknown.Count == 0 ? found : throw new MoveException(string.Create(CultureInfo.InvariantCulture,
            $"{unknown.Count} keys are not of the shop, or not where they belong, and nothing is dropped silently: ")
            + $"{string.Join(", ", unknown.Order(StringComparer.Ordinal).Take(5))}. Delete or move them first.");
    }

    private static async Task ForEachAsync(List<(string Key, KeyPlace Place)> items, TextWriter progress, string done,
        Func<(string Key, KeyPlace Place), Task> doAsync, CancellationToken cancellationToken)
    {
        var (count, last) = (0, Stopwatch.GetTimestamp());
        await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"0 of {items.Count} keys {done}"));
        var options = new ParallelOptions { MaxDegreeOfParallelism = Batches, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(items.Chunk(Batch), options, async (batch, _) =>
        {
            await Task.WhenAll(batch.Select(doAsync));
            lock (items)
            {
                count += batch.Length;
                if (count == items.Count || Stopwatch.GetElapsedTime(last) >= s_progress)
                {
                    last = Stopwatch.GetTimestamp();
                    progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} of {items.Count} keys {done}"));
                }
            }
        });
    }

    private static Task SayAsync(TextWriter to, string what, SortedDictionary<string, int> counts)
        => to.WriteLineAsync($"{what}: {(counts.Count == 0 ? "nothing" : string.Join(", ", counts.Select(c => $"{c.Value} {c.Key}")))}");

    private static SortedDictionary<string, int> CountOf(IEnumerable<(string Key, KeyPlace Place)> keys)
        => new(keys.CountBy(k => k.Place.Kind).ToDictionary(), StringComparer.Ordinal);

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
