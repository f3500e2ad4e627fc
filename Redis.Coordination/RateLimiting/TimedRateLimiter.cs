using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// One partition of a limit whose permits come back with time. Callers that wait are in the order that the limit says, within the process;
/// for the first of them Redis says when its permits can be had, and it asks, or has what was reserved, at that time and not before.
/// </summary>
internal sealed class TimedRateLimiter(
    RedisDeployment deployment, ScriptGroup group, TimedRateLimit limit, string partition, Func<RedisReach> reach, RateLimitMetrics metrics,
    TimeProvider clock, ILogger logger)
    : RedisRateLimiter(limit, reach, metrics, clock)
{
    // What a timer may be set to; one that waits longer looks again.
    private static readonly TimeSpan s_longestSleep = TimeSpan.FromHours(1);

    private readonly RedisKey[] _keys = [PartitionKeys.Of(limit.Policy, partition)];
    private readonly Lock _gate = new();
    private readonly WaitingList _waiting = new(limit);
    private long _arrivals;
    private CancellationTokenSource? _sleep;
    private bool _serving;

    protected override int QueuedPermits
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Permits;
            }
        }
    }

    protected override async ValueTask<RateLimitDecision> DecideOrQueueAsync(int permits, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var number = Interlocked.Increment(ref _arrivals);
        if (limit.QueueLimit == 0 || !MustWait())
        {
            var decision = await DecideAsync(permits, reserve: false, cancellationToken);
            if (decision.IsPermitted || decision.Source != RateLimitSource.Redis || limit.QueueLimit == 0)
            {
                return decision;
            }
            return await WaitAsync(new PermitWaiter(number, permits), decision, cancellationToken);
        }
        return await WaitAsync(new PermitWaiter(number, permits), default, cancellationToken);
    }

    protected override async ValueTask<RateLimitDecision> AskAsync(int permits, bool reserve, CancellationToken cancellationToken)
        => Read(await CallAsync(permits, reserve && limit.CanReserve ? "1" : RedisValue.EmptyString, cancellationToken));

    protected override void RefuseQueued()
    {
        List<PermitWaiter> waiters;
        lock (_gate)
        {
            waiters = _waiting.Clear();
            _sleep?.Cancel();
        }
        waiters.ForEach(w => w.TryDecide(default));
    }

    private static RateLimitDecision Read(RedisResult reply)
    {
        var outcome = (int)reply[0];
        return new RateLimitDecision
        {
            IsPermitted = outcome == 1,
            IsReserved = outcome == 2,
            Remaining = (long)reply[1],
            RetryAfter = outcome == 1 ? null : TimeSpan.FromMicroseconds((long)reply[2]),
            Reset = TimeSpan.FromMicroseconds((long)reply[3]),
            Ticket = reply.Length > 4 ? (RedisValue)reply[4] : RedisValue.EmptyString,
        };
    }

    private Task<RedisResult> CallAsync(int permits, RedisValue last, CancellationToken cancellationToken)
        => group.CallAsync(deployment, limit.Script, _keys, limit.Arguments(permits, last)).AsTask()
            .WaitAsync(limit.DecisionTimeout, Clock, cancellationToken);

    /// <summary>Whether others wait whom a newcomer must not overtake.</summary>
    private bool MustWait()
    {
        lock (_gate)
        {
            return limit.QueueProcessingOrder == QueueProcessingOrder.OldestFirst && !_waiting.IsEmpty;
        }
    }

    private async Task<RateLimitDecision> WaitAsync(PermitWaiter waiter, RateLimitDecision refusal, CancellationToken cancellationToken)
    {
        List<PermitWaiter> refused;
        lock (_gate)
        {
            if (IsDisposed || !_waiting.TryAdd(waiter, out refused))
            {
                return refusal;
            }
            if (!_serving)
            {
                _serving = true;
                _ = ServeAsync(limit.CanReserve ? TimeSpan.Zero : refusal.RetryAfter ?? TimeSpan.Zero);
            }
        }
        refused.ForEach(w => w.TryDecide(refusal));
        Metrics.Queued();
        try
        {
            using var timeout = new CancellationTokenSource(limit.QueueTimeout, Clock);
            await using var cancelled = cancellationToken.UnsafeRegister(
                (_, token) => Withdraw(waiter, w => w.TryCancel(token)), null);
            await using var over = timeout.Token.UnsafeRegister(_ => Withdraw(waiter, w => w.TryDecide(refusal)), null);
            return await waiter.Decision;
        }
        finally
        {
            Metrics.Dequeued();
        }
    }

    private void Withdraw(PermitWaiter waiter, Func<PermitWaiter, bool> end)
    {
        lock (_gate)
        {
            if (!_waiting.Remove(waiter))
            {
                return;
            }
            // What is waited for may be nobody's now, or sooner to be had.
            _sleep?.Cancel();
        }
        end(waiter);
    }

    /// <summary>Runs while somebody waits. Never throws.</summary>
    private async Task ServeAsync(TimeSpan wait)
    {
        try
        {
            await SleepAsync(wait, null);
            while (Next() is { } permits)
            {
                var decision = await DecideAsync(permits, reserve: true, CancellationToken.None);
                if (decision.IsReserved)
                {
                    await AwaitTurnAsync(permits, decision);
                }
                else if (decision.IsPermitted || decision.Source != RateLimitSource.Redis)
                {
                    Give(permits, decision);
                }
                else
                {
                    await SleepAsync(decision.RetryAfter!.Value, null);
                }
            }
        }
        catch (Exception e)
        {
            logger.LogWarning(e, "Those who wait for the rate limit {Policy} are refused.", limit.Policy);
            lock (_gate)
            {
                _serving = false;
            }
            RefuseQueued();
        }
    }

    /// <summary>How many permits the first one wants; null, and this has ended, when nobody waits.</summary>
    private int? Next()
    {
        lock (_gate)
        {
            var next = _waiting.Next();
            _serving = next is not null;
            return next?.Permits;
        }
    }

    /// <summary>Until the time that was reserved, which is that of whoever is first then among those who want so many.</summary>
    private async Task AwaitTurnAsync(int permits, RateLimitDecision reservation)
    {
        var reserved = Clock.GetTimestamp();
        TimeSpan left;
        while ((left = reservation.RetryAfter!.Value - Clock.GetElapsedTime(reserved)) > TimeSpan.Zero)
        {
            if (!await SleepAsync(left, permits))
            {
                // Not for somebody who comes meanwhile, before its time.
                await GiveBackAsync(permits, reservation.Ticket);
                return;
            }
        }
        Give(permits, reservation with { IsPermitted = true, IsReserved = false, RetryAfter = null });
    }

    /// <summary>Sleeps, at most until somebody withdraws. False, and at once, when nobody waits, or nobody for so many permits.</summary>
    private async Task<bool> SleepAsync(TimeSpan wait, int? permits)
    {
        using var woken = new CancellationTokenSource();
        lock (_gate)
        {
            if (permits is { } n ? _waiting.Next(n) is null : _waiting.IsEmpty)
            {
                return false;
            }
            _sleep = woken;
        }
        // Timers count whole milliseconds; cut off, the rest would be spent asking in vain.
        var whole = TimeSpan.FromMilliseconds(Math.Ceiling(Math.Min(wait.TotalMilliseconds, s_longestSleep.TotalMilliseconds)));
        await Task.Delay(whole, Clock, woken.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            _sleep = null;
        }
        return true;
    }

    /// <summary>A decision for the first who wants so many. What nobody wants any more goes back.</summary>
    private void Give(int permits, RateLimitDecision decision)
    {
        PermitWaiter? waiter;
        lock (_gate)
        {
            waiter = _waiting.Next(permits);
            if (waiter is not null)
            {
                _waiting.Remove(waiter);
            }
        }
        if (waiter is not null)
        {
            waiter.TryDecide(decision);
        }
        else if (decision is { IsPermitted: true, Source: RateLimitSource.Redis })
        {
            _ = GiveBackAsync(permits, decision.Ticket);
        }
    }

    private async Task GiveBackAsync(int permits, RedisValue ticket)
    {
        try
        {
            await CallAsync(-permits, ticket, CancellationToken.None);
        }
        catch (Exception e)
        {
            logger.LogDebug(e, "{Permits} unused permits of the rate limit {Policy} could not be given back.", permits, limit.Policy);
        }
    }
}
