using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Tells what a failover cost the application: from the beginning of the first command that failed or was held up to the
/// first that succeeded at the new primary. One failover is one span, with what the Sentinels said as its events and links to the
/// commands that it held up.
/// </summary>
/// <param name="logger">Hears of each.</param>
/// <param name="isAnnounced">
/// Sentinels announce each change, some after it is known; false for a cluster, whose nodes announce none.
/// </param>
internal sealed class FailoverObserver(ILogger logger, bool isAnnounced = true)
{
    // A command that takes longer was held up.
    private static readonly TimeSpan s_stalled = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);
    // Commands that were held up longer than the first to succeed report just behind it.
    private static readonly TimeSpan s_stragglers = TimeSpan.FromMilliseconds(500);
    // How long to wait for Sentinels that announce what is known already, and for a first command where there are few.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    // So many commands are tied to a failover; it may have held up thousands.
    private const int MaxLinks = 100;

    private readonly Lock _lock = new();
    private readonly long _origin = Stopwatch.GetTimestamp();
    private readonly DateTimeOffset _originTime = DateTimeOffset.UtcNow;
    private readonly Dictionary<string, Sign> _signs = new(StringComparer.Ordinal);
    private Failover? _failover;
    private long _firstTrouble;
    private volatile bool _alert;
    private volatile FailoverReport? _last;

    /// <summary>The last change of the primary; null before the first.</summary>
    public FailoverReport? Last => _last;

    /// <summary>A command that began at <paramref name="start"/> has just succeeded.</summary>
    public void Succeeded(long start)
    {
        var stalled = Stopwatch.GetElapsedTime(start) >= s_stalled;
        if (!_alert && !stalled)
        {
            return;
        }
        lock (_lock)
        {
            if (stalled)
            {
                Trouble(start);
            }
            if (_failover is null)
            {
                // Over without a failover.
                _firstTrouble = 0;
                _alert = _signs.Count > 0;
            }
            else if (_failover.FirstSuccess == 0)
            {
                _failover.FirstSuccess = Stopwatch.GetTimestamp();
                _signs.TryAdd("first-success", new Sign(_failover.FirstSuccess, null));
            }
        }
    }

    /// <summary>A command that began at <paramref name="start"/> has just failed for want of a primary.</summary>
    public void Failed(long start)
    {
        lock (_lock)
        {
            if (_failover is not { FirstSuccess: > 0 })
            {
                Trouble(start);
                _alert = true;
            }
        }
    }

    /// <summary>A Sentinel has said something about the primary.</summary>
    public void Heard(EndPoint sentinel, string message)
    {
        lock (_lock)
        {
            if (message is "-sdown" or "-odown" && _failover is null)
            {
                if (_signs.Count > 0)
                {
                    logger.LogInformation("Sentinel {Sentinel} takes back that the primary is down.",
                        EndPointCollection.ToString(sentinel));
                    _signs.Clear();
                }
                return;
            }
            // Not the beginning of anything: the last words on a failover that has been told already.
            if (_signs.Count == 0 && message is not ("+sdown" or "+odown" or "+try-failover"))
            {
                return;
            }
            if (message[0] == '+' && _signs.TryAdd(message[1..], new Sign(Stopwatch.GetTimestamp(), sentinel)))
            {
                _alert = true;
                if (message is "+sdown" or "+odown")
                {
                    logger.LogWarning("Sentinel {Sentinel} says {Message} of the primary.", EndPointCollection.ToString(sentinel), message);
                }
            }
        }
    }

    /// <summary>Another node is followed from now on.</summary>
    public void Followed(EndPoint from, EndPoint to, bool planned)
    {
        logger.Log(planned ? LogLevel.Information : LogLevel.Warning, "{Primary} is the primary now, after {Former}: a {Kind}.",
            EndPointCollection.ToString(to), EndPointCollection.ToString(from), planned ? "planned switchover" : "failover");
        FailoverMetrics.Failovers.Add(1, FailoverMetrics.Planned(planned));
        Failover failover;
        lock (_lock)
        {
            if (_failover is not null)
            {
                Complete(_failover);
            }
            _failover = failover = new Failover(from, to, planned, Stopwatch.GetTimestamp());
            _last = new FailoverReport(EndPointCollection.ToString(from), EndPointCollection.ToString(to), planned, Time(failover.At),
                IsOver: false, Blackout: null);
            _signs["followed"] = new Sign(failover.At, null);
            _alert = true;
        }
        _ = CompleteAsync(failover);
    }

    /// <summary>The command of this span was held up by the failover that is under way.</summary>
    public void HeldUp(ActivityContext command)
    {
        lock (_lock)
        {
            if (_failover?.HeldUp is { Count: < MaxLinks } heldUp)
            {
                heldUp.Add(command);
            }
        }
    }

    private async Task CompleteAsync(Failover failover)
    {
        while (true)
        {
            await Task.Delay(s_look);
            lock (_lock)
            {
                if (!ReferenceEquals(_failover, failover))
                {
                    return;
                }
                var over = failover.FirstSuccess > 0 && Stopwatch.GetElapsedTime(failover.FirstSuccess) > s_stragglers;
                if ((over && (!isAnnounced || _signs.ContainsKey("switch-master"))) || Stopwatch.GetElapsedTime(failover.At) > s_patience)
                {
                    Complete(failover);
                    return;
                }
            }
        }
    }

    private void Complete(Failover failover)
    {
        var planned = FailoverMetrics.Planned(failover.Planned);
        TimeSpan? blackout = _firstTrouble > 0 && failover.FirstSuccess > 0
            ? Stopwatch.GetElapsedTime(_firstTrouble, failover.FirstSuccess) : null;
        var begin = _signs.Values.Min(s => s.At);
        begin = _firstTrouble > 0 ? Math.Min(begin, _firstTrouble) : begin;
        // A root: it belongs to no request.
        Activity.Current = null;
        using (var activity = CoordinationDiagnostics.ActivitySource.StartActivity(
            "redis failover", ActivityKind.Internal, default(ActivityContext), startTime: Time(begin)))
        {
            activity?.SetTag("db.system.name", "redis");
            activity?.SetTag("redis.failover.planned", failover.Planned);
            activity?.SetTag("redis.failover.from", EndPointCollection.ToString(failover.From));
            activity?.SetTag("redis.failover.to", EndPointCollection.ToString(failover.To));
            activity?.SetTag("redis.failover.blackout", blackout?.TotalSeconds);
            failover.HeldUp.ForEach(command => activity?.AddLink(new ActivityLink(command)));
            foreach (var (name, sign) in _signs.OrderBy(s => s.Value.At))
            {
                activity?.AddEvent(new ActivityEvent(name, Time(sign.At),
                    sign.Sentinel is null ? null
                    : new ActivityTagsCollection { ["redis.sentinel"] = EndPointCollection.ToString(sign.Sentinel) }));
            }
            activity?.SetEndTime(Time(_signs.Values.Max(s => s.At)).UtcDateTime);
        }
        if (blackout is { } dark)
        {
            FailoverMetrics.Blackout.Record(dark.TotalSeconds, planned);
            logger.LogInformation("The change to {Primary} held up the application for {Blackout:0.000} s.",
                EndPointCollection.ToString(failover.To), dark.TotalSeconds);
        }
        _last = _last! with { IsOver = true, Blackout = blackout };
        _failover = null;
        _firstTrouble = 0;
        _signs.Clear();
        _alert = false;
    }

    private void Trouble(long start) => _firstTrouble = _firstTrouble == 0 ? start : Math.Min(_firstTrouble, start);

    private DateTimeOffset Time(long ticks) => _originTime + (Stopwatch.GetElapsedTime(0, ticks) - Stopwatch.GetElapsedTime(0, _origin));

    private readonly record struct Sign(long At, EndPoint? Sentinel);

    private sealed record Failover(EndPoint From, EndPoint To, bool Planned, long At)
    {
        public long FirstSuccess { get; set; }

        public List<ActivityContext> HeldUp { get; } = [];
    }
}
