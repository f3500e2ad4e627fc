using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Faults;
using AspireRedis.Chaos.Load;
using AspireRedis.Chaos.Shop;
using AspireRedis.Coordination;

namespace AspireRedis.Chaos;

/// <summary>Starts the shop, lets customers in, does one fault after the other and checks what is left in the end.</summary>
internal sealed class ChaosRun(ShopUnderTest shop, IReadOnlyList<Fault> plan, int seed, int rate, IChaosProgress progress)
{
    private static readonly TimeSpan s_calm = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_warmUpBound = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_prompt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_settleBound = TimeSpan.FromSeconds(180);

    private readonly TimeProvider _clock = TimeProvider.System;
    private readonly History _history = new(TimeProvider.System);
    private readonly Assortment _assortment = new(plan.Count + 1, rate);
    private readonly List<FaultRecord> _faults = [];
    private readonly List<Violation> _violations = [];

    /// <param name="plan">The faults.</param>
    /// <param name="seed">For what customers buy.</param>
    /// <param name="rate">Customers per second.</param>
    /// <param name="durability">What services promise.</param>
    /// <param name="partitions">Into how many partitions they divide their keys.</param>
    /// <param name="onCluster">Whether they stand on a cluster.</param>
    /// <param name="directory">Gets data, logs and mails, and keeps them.</param>
    /// <param name="progress">Hears of it.</param>
    /// <param name="cancellationToken">Ends the run without a result; everything is stopped.</param>
    /// <exception cref="TimeoutException">The system could not be started.</exception>
    public static async Task<ChaosResult> RunAsync(
        IReadOnlyList<Fault> plan, int seed, int rate, Durability durability, int partitions, bool onCluster, string directory,
        IChaosProgress progress, CancellationToken cancellationToken)
    {
        await using var shop = await ShopUnderTest.StartAsync(directory, durability, partitions, onCluster, cancellationToken);
        return await new ChaosRun(shop, plan, seed, rate, progress).RunAsync(cancellationToken);
    }

    private async Task<ChaosResult> RunAsync(CancellationToken cancellationToken)
    {
        using (var inventory = new HttpClient { BaseAddress = shop.Inventory[0].Address })
        {
            await _assortment.PutAsync(inventory, cancellationToken);
        }
        using var customers = new Customers([.. shop.Orders.Select(o => o.Address)], _assortment, _history, seed, rate);
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var begin = _clock.GetUtcNow();
        var buying = customers.RunAsync(closing.Token);
        await WarmUpAsync(cancellationToken);
        for (var i = 0; i < plan.Count && _violations.Count == 0; i++)
        {
            _assortment.Show(i + 1);
            await DoAsync(i, cancellationToken);
        }
        await closing.CancelAsync();
        await buying.WaitAsync(cancellationToken);
        var end = _clock.GetUtcNow();
        progress.Settling();
        var seen = await SettleAsync(cancellationToken);
        _violations.AddRange(Checker.Check(seen));
        _violations.AddRange(shop.Services.Select(s => s.Crash).OfType<string>().Select(c => new Violation(ViolationKind.Crash, c)));
        return new ChaosResult(begin, end, _faults, _history.Acknowledgements, _history.Answers, seen, _violations);
    }

    /// <summary>
    /// Until customers are served promptly: services compile what they run first while it runs, and that is not to be taken
    /// for the effect of a fault.
    /// </summary>
    private async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        var bound = _clock.GetUtcNow() + s_warmUpBound;
        do
        {
            await Task.Delay(s_warmUp, cancellationToken);
        }
        while (_clock.GetUtcNow() < bound && _history.AnswersSince(_clock.GetUtcNow() - s_warmUp).Any(a => a.Took > s_prompt));
    }

    private async Task DoAsync(int number, CancellationToken cancellationToken)
    {
        var target = "";
        var begin = _clock.GetUtcNow();
        var end = begin;
        DateTimeOffset? whole = null;
        try
        {
            await FaultInjector.Of(shop, UntilOrdersAreTakenAsync).InjectAsync(
                plan[number],
                name =>
                {
                    target = name;
                    progress.Begun(number, plan[number], name);
                },
                cancellationToken);
            end = _clock.GetUtcNow();
            await shop.WaitUntilWholeAsync(cancellationToken);
            await UntilOrdersAreTakenAsync(end, cancellationToken);
            whole = _clock.GetUtcNow();
        }
        catch (TimeoutException e)
        {
            _violations.Add(new Violation(ViolationKind.NotRecovered, $"after {plan[number].Kind} of {target}: {e.Message}"));
        }
        var answers = _history.AnswersSince(begin).ToList();
        var record = new FaultRecord(plan[number], target, begin, end, whole, Silence(begin, _clock.GetUtcNow()))
        {
            Failed = answers.Count(a => a.Failed),
            LongestAnswer = answers.Select(a => a.Took).DefaultIfEmpty().Max(),
        };
        _faults.Add(record);
        progress.Ended(number, record, _history.Acknowledged);
        await Task.Delay(s_calm, cancellationToken);
    }

    private async Task UntilOrdersAreTakenAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        var bound = _clock.GetUtcNow() + ShopUnderTest.RecoveryBound;
        while (shop.Orders.FirstOrDefault(o => !_history.HasAccepted(o.Address, since)) is { } silent)
        {
            if (_clock.GetUtcNow() > bound)
            {
                throw new TimeoutException($"{silent.Name} has taken no order for {ShopUnderTest.RecoveryBound.TotalSeconds} s.");
            }
            await Task.Delay(s_look, cancellationToken);
        }
    }

    private TimeSpan Silence(DateTimeOffset begin, DateTimeOffset end)
    {
        var longest = TimeSpan.Zero;
        var last = begin;
        foreach (var at in _history.Acknowledgements.Where(a => a > begin).Append(end).Order())
        {
            longest = at - last > longest ? at - last : longest;
            last = at;
        }
        return longest;
    }

    private async Task<Observations> SettleAsync(CancellationToken cancellationToken)
    {
        await using var reader = await StateReader.ConnectAsync(await shop.Servers.ReaderOptionsAsync(cancellationToken), shop.Partitions);
        var bound = _clock.GetUtcNow() + s_settleBound;
        while (await reader.UnsettledAsync() is { } unsettled)
        {
            if (_clock.GetUtcNow() > bound)
            {
                _violations.Add(new Violation(ViolationKind.NotSettled, unsettled));
                break;
            }
            await Task.Delay(s_look, cancellationToken);
        }
        return new Observations(
            _history.Purchases, await reader.OrdersAsync(), await reader.ProductsAsync(_assortment.Initial), await reader.HeldAsync(),
            await StateReader.MailsAsync(shop.MailDirectory));
    }
}
