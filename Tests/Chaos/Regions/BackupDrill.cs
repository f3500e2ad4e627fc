using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Load;
using AspireRedis.LocalServers;
using AspireRedis.Regions.Cli;

namespace AspireRedis.Chaos.Regions;

/// <summary>
/// Takes a backup of a shop with many orders in the standby, loses everything, restores it into an empty system by the operator's tool, and
/// compares what is there with what customers were told.
/// </summary>
internal sealed class BackupDrill(RegionDrillOptions options, string directory, TextWriter progress)
{
    private const int AtOnce = 24;
    private const int Batch = 500;
    private const int OrdersOfAShelf = 2000;

    private static readonly TimeSpan s_settleBound = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_syncBound = TimeSpan.FromMinutes(2);

    private readonly History _history = new(TimeProvider.System);

    // A third finds nothing any more.
    private readonly Assortment _assortment = new((options.BackupOrders / OrdersOfAShelf * 2) + 2, Customers.DefaultRate);

    /// <summary>Runs it on systems of its own, one after the other.</summary>
    /// <exception cref="TimeoutException">A system could not be started, or did not settle.</exception>
    public static Task<BackupDrillResult> RunAsync(RegionDrillOptions options, string directory, TextWriter progress,
        CancellationToken cancellationToken)
        => new BackupDrill(options, directory, progress).RunAsync(cancellationToken);

    private async Task<BackupDrillResult> RunAsync(CancellationToken cancellationToken)
    {
        var folder = Path.Combine(directory, "backup");
        var mails = new List<SentMail>();
        JsonElement backup;
        TimeSpan placing;
        await using (var shop = await StartAsync("before", cancellationToken))
        {
            placing = await PlaceAsync(shop, cancellationToken);
            backup = await ToolAsync(shop, ["backup", "--region", TwoRegionShop.FirstStandby, "--to", folder], cancellationToken);
            mails.AddRange(await StateReader.MailsAsync(shop.MailDirectory));
        }
        await progress.WriteLineAsync("Everything is lost.");
        await using var empty = await StartAsync("after", cancellationToken);
        var restored = await ToolAsync(empty, ["restore", "--from", folder], cancellationToken);
        var again = await ToolAsync(empty, ["restore", "--from", folder], cancellationToken);
        await using var reader = await ReaderAsync(empty, cancellationToken);
        mails.AddRange(await StateReader.MailsAsync(empty.MailDirectory));
        var orders = await reader.OrdersAsync();
        var seen = new Observations(_history.Purchases, orders, await reader.ProductsAsync(_assortment.Initial), await reader.HeldAsync(),
            mails);
        IEnumerable<string> violations =
        [
            .. Checker.Check(seen).Select(v => $"{v.Kind}: {v.Detail}"),
            .. restored.TryGetProperty("violations", out var found) ? found.EnumerateArray().Select(v => v.GetString()!)
                : [$"The restore failed: {restored}"],
            .. again.TryGetProperty("changed", out var changed) && !changed.GetBoolean() ? Array.Empty<string>()
                : [$"A second restore was not refused: {again}"],
        ];
        return new BackupDrillResult(orders.Count, Seconds(placing), backup.GetProperty("size").GetInt64(),
            backup.GetProperty("durationSeconds").GetDouble(), restored.TryGetProperty("keys", out var keys) ? keys.GetInt64() : 0,
            Number(restored, "durationSeconds"), Number(restored, "refusedSeconds"), [.. violations]);

        static double? Number(JsonElement of, string name) => of.TryGetProperty(name, out var value) ? value.GetDouble() : null;
    }

    private Task<TwoRegionShop> StartAsync(string name, CancellationToken cancellationToken)
        => TwoRegionShop.StartAsync(Directory.CreateDirectory(Path.Combine(directory, name)).FullName, options.Latency, options.Durability,
            automatic: false, cancellationToken);

    private async Task<TimeSpan> PlaceAsync(TwoRegionShop shop, CancellationToken cancellationToken)
    {
        using (var inventory = new HttpClient { BaseAddress = shop[TwoRegionShop.FirstActive].Inventory.Address })
        {
            await _assortment.PutAsync(inventory, cancellationToken);
        }
        using var customers = new Customers([shop[TwoRegionShop.FirstActive].Orders.Address], _assortment, _history, options.Seed,
            Customers.DefaultRate);
        var began = Stopwatch.GetTimestamp();
        var batch = Math.Min(Batch, options.BackupOrders);
        for (var number = 0; _history.Acknowledged < options.BackupOrders; number += batch)
        {
            _assortment.Show(_history.Acknowledged / OrdersOfAShelf);
            await customers.ServeAsync(number, batch, AtOnce, cancellationToken);
            if (number % (20 * Batch) == 0)
            {
                await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{_history.Acknowledged} orders after {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s"));
            }
        }
        var took = Stopwatch.GetElapsedTime(began);
        await using var reader = await ReaderAsync(shop, cancellationToken);
        await Poll.UntilAsync(_ => reader.UnsettledAsync(), s_settleBound, "everything is settled", cancellationToken);
        return took;
    }

    private static async Task<StateReader> ReaderAsync(TwoRegionShop shop, CancellationToken cancellationToken)
    {
        var redis = shop[TwoRegionShop.FirstActive].Redis;
        return await StateReader.ConnectAsync(redis.Topology, await redis.CurrentPrimaryAsync(cancellationToken));
    }

    private async Task<JsonElement> ToolAsync(TwoRegionShop shop, string[] arguments, CancellationToken cancellationToken)
    {
        var configuration = Path.Combine(directory, "regions.json");
        await File.WriteAllTextAsync(configuration,
            JsonSerializer.Serialize(shop.Regions.ConfigurationOf(TwoRegionShop.FirstStandby, control: true)), cancellationToken);
        using var output = new StringWriter();
        await Poll.UntilAsync(
            async token => (await JsonAsync(["status", "--json"], token)).GetProperty("missing").GetString(), s_syncBound,
            "the regions are whole", cancellationToken);
        return await JsonAsync([.. arguments, "--json"], cancellationToken);

        async Task<JsonElement> JsonAsync(string[] what, CancellationToken token)
        {
            output.GetStringBuilder().Clear();
            await RegionTool.RunAsync([.. what, "--config", configuration], TextReader.Null, output, progress, token, StoredShop.CheckAsync);
            return JsonDocument.Parse(output.ToString()).RootElement;
        }
    }

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}

/// <summary>What the drill of a backup has shown.</summary>
/// <param name="Orders">Orders that were restored.</param>
/// <param name="PlacedS">How long it took to place them.</param>
/// <param name="Bytes">The size of the backup.</param>
/// <param name="BackupS">How long it took to take.</param>
/// <param name="Keys">Keys that were restored.</param>
/// <param name="RestoreS">How long that took, with the loading of the file; null when it failed.</param>
/// <param name="RefusedS">For how long of it services were refused.</param>
/// <param name="Violations">What must not happen.</param>
internal sealed partial record BackupDrillResult(int Orders, double PlacedS, long Bytes, double BackupS, long Keys, double? RestoreS,
    double? RefusedS, IReadOnlyList<string> Violations)
{
    [JsonIgnore]
    public bool IsGood => Violations.Count == 0;

    public string Json() => JsonSerializer.Serialize(this, BackupDrillJson.Default.BackupDrillResult);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
    [JsonSerializable(typeof(BackupDrillResult))]
    private sealed partial class BackupDrillJson : JsonSerializerContext;
}
