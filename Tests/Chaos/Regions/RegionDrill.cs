using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Load;
using AspireRedis.Client;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Regions;
using AspireRedis.LocalServers;
using Microsoft.Extensions.Configuration;

namespace AspireRedis.Chaos.Regions;

/// <summary>
/// Loses the active region again and again while customers buy, has the other one promoted, and counts what it costs. A region that was
/// lost comes back first with all that it had, to see whether it sells, and is then set up anew as a standby.
/// </summary>
internal sealed class RegionDrill(TwoRegionShop shop, RegionDrillOptions options, string directory, TextWriter progress) : IDisposable
{
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan s_settleBound = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan s_stale = TimeSpan.FromSeconds(4);

    private readonly TimeProvider _clock = TimeProvider.System;
    private readonly History _history = new(TimeProvider.System);
    private readonly Assortment _assortment = new(options.Promotions + options.Switches + 1, options.Rate);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);
    private readonly List<RegionLoss> _losses = [];
    private readonly List<RegionSwitched> _switches = [];
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(5) };

    /// <summary>Runs it on a system of its own.</summary>
    /// <exception cref="TimeoutException">The system could not be started, or did not come back.</exception>
    public static async Task<RegionDrillResult> RunAsync(RegionDrillOptions options, string directory, TextWriter progress,
        CancellationToken cancellationToken)
    {
        await progress.WriteLineAsync("Two regions are started.");
        await using var shop = await TwoRegionShop.StartAsync(directory, options.Latency, options.Durability, automatic: true,
            cancellationToken, isChecked: !options.WithoutPermissionCheck);
        using var drill = new RegionDrill(shop, options, directory, progress);
        return await drill.RunAsync(cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private async Task<RegionDrillResult> RunAsync(CancellationToken cancellationToken)
    {
        using (var inventory = new HttpClient { BaseAddress = shop[TwoRegionShop.FirstActive].Inventory.Address })
        {
            await _assortment.PutAsync(inventory, cancellationToken);
        }
        using var customers = new Customers([.. shop.Sites.Select(s => s.Orders.Address)], _assortment, _history, options.Seed,
            options.Rate);
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var buying = customers.RunAsync(closing.Token);
        await Task.Delay(s_warmUp, cancellationToken);
        var active = TwoRegionShop.FirstActive;
        for (var number = 0; number < options.Switches; number++)
        {
            _assortment.Show(number + 1);
            active = await SwitchAsync(active, cancellationToken);
        }
        for (var number = 0; number < options.Promotions; number++)
        {
            _assortment.Show(options.Switches + number + 1);
            active = await LoseAsync(active, automatic: number % 2 == 0, cancellationToken);
        }
        await closing.CancelAsync();
        await buying.WaitAsync(cancellationToken);
        await progress.WriteLineAsync("No customers any more; what is under way is settled.");
        var violations = await CheckAsync(shop[active], cancellationToken);
        return new RegionDrillResult(_losses, _switches, _history.Accepted.Count, violations);
    }

    /// <returns>The region that is active afterwards.</returns>
    private async Task<string> LoseAsync(string active, bool automatic, CancellationToken cancellationToken)
    {
        var lost = shop[active];
        var other = shop.Sites.First(s => s.Name != active);
        await other.RestartAgentAsync(automatic);
        await shop.WaitUntilWholeAsync(cancellationToken);
        await using var lag = new LagWatch(other.Agent.Address, _clock);
        lag.Start();
        await UntilAsync(
            () => lag.CompleteUpTo is not null
                && _history.HasAccepted(lost.Orders.Address, _clock.GetUtcNow() - TimeSpan.FromSeconds(1)),
            $"{lost.Name} sells and {other.Name} shows its lag", cancellationToken);
        // Once its customers are served, not in the same moment.
        await Task.Delay(TimeSpan.FromSeconds(1 + (options.Seed + _losses.Count) % 3), cancellationToken);

        var killed = _clock.GetUtcNow();
        lost.Kill();
        var dead = _clock.GetUtcNow();
        var complete = lag.CompleteUpTo!.Value;
        DateTimeOffset? commanded = null;
        if (!automatic)
        {
            commanded = await PromoteAsync(other, cancellationToken);
        }
        DateTimeOffset? first = null;
        if (options.Durability == Durability.Region)
        {
            // Without a standby nothing is sold at that level.
            await using var looking = OperatorIn(other);
            await UntilAsync(async () => (await looking.StatusAsync(cancellationToken)).LeaseHolder == other.Name, $"{other.Name} is active",
                cancellationToken);
        }
        else
        {
            await UntilAsync(() => (first = _history.FirstAcceptedBy(other.Orders.Address, killed)) is not null, $"{other.Name} sells",
                cancellationToken);
        }

        // What it has from before the loss: what is placed now is not in question.
        var before = _history.Accepted.Where(a => a.Value.By == lost.Orders.Address && a.Value.At <= dead).ToList();
        HashSet<string> there = [];
        await UntilAsync(async () => (there = await OrdersAsync(other, cancellationToken)).Count > 0, $"{other.Name} has orders", cancellationToken);
        var gone = before.Where(a => !_gone.Contains(a.Key) && !there.Contains(a.Key)).ToList();
        _gone.UnionWith(gone.Select(a => a.Key));

        var stale = await TryStaleAsync(lost, cancellationToken);
        var isBack = await FailBackAsync(lost, gone.Select(a => a.Key), cancellationToken);
        if (!isBack)
        {
            // As one does with what is not to be saved; the drill goes on.
            lost.Kill();
            await shop.Regions.RebuildAsync(lost.Name, cancellationToken);
            await lost.StartAsync(cancellationToken);
        }
        var loss = new RegionLoss(lost.Name, automatic, first - killed, first - commanded, gone.Count,
            gone.Count == 0 ? TimeSpan.Zero : killed - gone.Min(a => a.Value.At), gone.Count(a => a.Value.At < complete), stale, isBack);
        _losses.Add(loss);
        await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{_losses.Count,3} {lost.Name} lost: {other.Name} ")
            + (loss.Rto is { } rto ? string.Create(CultureInfo.InvariantCulture, $"sells after {rto.TotalSeconds:0.00} s") : "is promoted")
            + (loss.Promotion is { } promotion ? string.Create(CultureInfo.InvariantCulture, $", {promotion.TotalSeconds:0.00} s after the command")
                : ", by itself")
            + string.Create(CultureInfo.InvariantCulture,
                $"; {loss.LostOrders} of {before.Count} orders lost (lag {(killed - complete).TotalSeconds:0.00} s, {loss.LostBeyondLag} beyond it); {loss.StaleAccepted} sold by the one that came back{(isBack ? "" : ", which could not be failed back")}"));
        return other.Name;
    }

    /// <returns>The region that is active afterwards.</returns>
    private async Task<string> SwitchAsync(string active, CancellationToken cancellationToken)
    {
        var (from, to) = (shop[active], shop.Sites.First(s => s.Name != active));
        await shop.WaitUntilWholeAsync(cancellationToken);
        await UntilAsync(() => _history.HasAccepted(from.Orders.Address, _clock.GetUtcNow() - TimeSpan.FromSeconds(1)), $"{from.Name} sells",
            cancellationToken);
        await using var operation = OperatorIn(to);
        var begin = _clock.GetUtcNow();
        var result = await operation.SwitchAsync(to.Name, cancellationToken);
        var done = _clock.GetUtcNow();
        await UntilAsync(() => _history.FirstAcceptedBy(to.Orders.Address, begin) is not null, $"{to.Name} sells", cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        var there = await OrdersAsync(to, cancellationToken);
        var lost = _history.Accepted.Where(a => a.Value.By == from.Orders.Address && a.Value.At <= done && !_gone.Contains(a.Key)
            && !there.Contains(a.Key)).Select(a => a.Key).ToList();
        _gone.UnionWith(lost);
        var switched = new RegionSwitched(result.Held, _history.LongestWait(begin, _clock.GetUtcNow()),
            _history.AnswersSince(begin).Count(a => a.Failed), lost.Count);
        _switches.Add(switched);
        await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{_switches.Count,3} {from.Name} to {to.Name}: no writes for {switched.Held.TotalMilliseconds:0} ms, longest order {switched.LongestOrder.TotalSeconds:0.00} s, {switched.Failed} failed, {switched.Lost} lost"));
        return to.Name;
    }

    /// <summary>Makes a region that came back a standby again.</summary>
    /// <returns>False when it could not be, or an order that was lost with it is not in the file.</returns>
    private async Task<bool> FailBackAsync(RegionSite lost, IEnumerable<string> gone, CancellationToken cancellationToken)
    {
        var file = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"failback-{_losses.Count + 1}.ndjson"));
        await using var operation = OperatorIn(lost);
        var reason = "";
        var isDone = false;
        try
        {
            await Poll.UntilAsync(
                async token =>
                {
                    if ((await operation.StatusAsync(token)).Regions.First(r => r.Name == lost.Name).IsInSync)
                    {
                        return null;
                    }
                    if (isDone)
                    {
                        // Once: another one would find nothing any more, and overwrite the file.
                        return "it is not in sync yet";
                    }
                    try
                    {
                        await operation.FailbackAsync(lost.Name, file, cancellationToken: token);
                        isDone = true;
                        return "it is not in sync yet";
                    }
                    catch (RegionException e)
                    {
                        return reason = e.Message;
                    }
                },
                s_bound, $"{lost.Name} is a standby again", cancellationToken);
        }
        catch (TimeoutException)
        {
            await progress.WriteLineAsync($"    {lost.Name} could not be failed back: {reason}");
            return false;
        }
        var text = File.Exists(file) ? await File.ReadAllTextAsync(file, cancellationToken) : "";
        var missing = gone.Count(id => !text.Contains(id, StringComparison.Ordinal));
        if (missing > 0)
        {
            await progress.WriteLineAsync($"    {missing} orders that were lost with {lost.Name} are not in {file}");
        }
        return missing == 0;
    }

    private RegionOperator OperatorIn(RegionSite region)
    {
        var regions = new RegionOptions();
        regions.Bind(new ConfigurationBuilder().AddInMemoryCollection(shop.Regions.ConfigurationOf(region.Name, control: true)).Build());
        return new RegionOperator(regions);
    }

    private static async Task<HashSet<string>> OrdersAsync(RegionSite region, CancellationToken cancellationToken)
    {
        var primary = await region.Redis.CurrentPrimaryAsync(cancellationToken);
        await using var reader = await StateReader.ConnectAsync(region.Redis.Topology, primary);
        return [.. (await reader.OrdersAsync()).Select(o => o.OrderId)];
    }

    /// <summary>Promotes it as soon as the lease of the other one is over.</summary>
    /// <returns>When the command was given.</returns>
    private async Task<DateTimeOffset> PromoteAsync(RegionSite region, CancellationToken cancellationToken)
    {
        await using var operation = OperatorIn(region);
        var bound = _clock.GetUtcNow() + s_bound;
        while ((await operation.StatusAsync(cancellationToken)).LeaseHolder is { } holder)
        {
            if (_clock.GetUtcNow() > bound)
            {
                throw new TimeoutException($"{holder} holds the lease {s_bound.TotalSeconds} s after it was killed.");
            }
            await Task.Delay(s_look, cancellationToken);
        }
        var commanded = _clock.GetUtcNow();
        await operation.PromoteAsync(region.Name, acceptLoss: false, cancellationToken);
        return commanded;
    }

    /// <summary>
    /// Starts what was killed, with what it had, and tries to buy there. Without its agent first: nothing but the permission keeps it from
    /// selling then.
    /// </summary>
    /// <returns>How many orders it acknowledged.</returns>
    private async Task<int> TryStaleAsync(RegionSite lost, CancellationToken cancellationToken)
    {
        var since = _clock.GetUtcNow();
        await lost.StartAsync(cancellationToken, withAgent: false);
        await UntilAsync(async () => await AnswersAsync(lost), $"{lost.Name} is back", cancellationToken);
        await Task.Delay(s_stale, cancellationToken);
        if (options.WithoutPermissionCheck)
        {
            // However long its services take to start on a machine that is busy.
            await Poll.UntilAsync(_ => Task.FromResult(Stale() > 0 ? null : "not yet"), s_settleBound,
                $"{lost.Name} sells although it was replaced", cancellationToken);
        }
        await lost.StartAsync(cancellationToken);
        return Stale();

        // The customers ask there half of the time.
        int Stale() => _history.Accepted.Values.Count(a => a.By == lost.Orders.Address && a.At > since);
    }

    private async Task<bool> AnswersAsync(RegionSite site)
    {
        try
        {
            using var refused = await _http.PostAsJsonAsync(new Uri(site.Orders.Address, "/orders"),
                new { userId = "nobody", email = "nobody@example.org", lines = Array.Empty<object>() });
            return refused.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.UnprocessableEntity;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task<IReadOnlyList<Violation>> CheckAsync(RegionSite active, CancellationToken cancellationToken)
    {
        var violations = new List<Violation>();
        var primary = await active.Redis.CurrentPrimaryAsync(cancellationToken);
        await using var reader = await StateReader.ConnectAsync(active.Redis.Topology, primary);
        var bound = _clock.GetUtcNow() + s_settleBound;
        while (await reader.UnsettledAsync() is { } unsettled)
        {
            if (_clock.GetUtcNow() > bound)
            {
                violations.Add(new Violation(ViolationKind.NotSettled, unsettled));
                break;
            }
            await Task.Delay(s_look, cancellationToken);
        }
        // What was lost with its region is counted as that, and may have been mailed; unless it was ordered again under the same key.
        var orders = await reader.OrdersAsync();
        var lost = _gone.Except(orders.Select(o => o.OrderId)).ToHashSet(StringComparer.Ordinal);
        var purchases = _history.Purchases.Select(p => p with { Acknowledged = [.. p.Acknowledged.Where(id => !lost.Contains(id))] });
        var mails = (await StateReader.MailsAsync(shop.MailDirectory)).Where(m => !lost.Contains(m.OrderId));
        var seen = new Observations([.. purchases], orders, await reader.ProductsAsync(_assortment.Initial),
            await reader.HeldAsync(), [.. mails]);
        violations.AddRange(Checker.Check(seen));
        violations.AddRange(shop.Sites.SelectMany(s => s.Services.Append(s.Agent)).Select(s => s.Crash).OfType<string>()
            .Select(c => new Violation(ViolationKind.Crash, c)));
        return violations;
    }

    private static Task UntilAsync(Func<bool> condition, string what, CancellationToken cancellationToken)
        => UntilAsync(() => Task.FromResult(condition()), what, cancellationToken);

    private static Task UntilAsync(Func<Task<bool>> condition, string what, CancellationToken cancellationToken)
        => Poll.UntilAsync(async _ => await condition() ? null : "not yet", s_bound, what, cancellationToken);
}
