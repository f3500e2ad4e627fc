using AspireRedis.LockHistory.Checking;
using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Running;

/// <summary>A round that is over.</summary>
/// <param name="System">Which lock, on which deployment.</param>
/// <param name="Seed">Repeats the plan of its faults.</param>
/// <param name="History">What happened.</param>
/// <param name="Verdict">What the checker found in it.</param>
/// <param name="ClientKills">How many client processes were killed.</param>
/// <param name="ClientFreezes">How many client processes were frozen and woken.</param>
/// <param name="RedisFaults">The faults of Redis.</param>
public sealed record RoundResult(
    LockSystem System, int Seed, History History, Verdict Verdict, int ClientKills, int ClientFreezes, IReadOnlyList<string> RedisFaults)
{
    public int Acquired => History.Attempts.Count(a => a.IsAcquired);

    public int Failed => History.Attempts.Count(a => a.End == HistoryEventKind.Failed);

    /// <summary>Waits that ended without a lease as their callers wished.</summary>
    public int GivenUp => History.Attempts.Count(a => a.End is HistoryEventKind.GaveUp or HistoryEventKind.Cancelled);

    public int Lost => History.Attempts.Count(a => a.LostAt != Span.Never);

    public int Failovers => History.Faults.Count(f => f.NewPrimary is not null);

    public int Written => History.Writes.Values.Count(w => w.Outcome == HistoryEventKind.WriteAccepted);

    public int Refused => History.Writes.Values.Count(w => w.Outcome == HistoryEventKind.WriteRefused);
}
