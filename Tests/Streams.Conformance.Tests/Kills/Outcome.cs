using System.Globalization;

namespace AspireRedis.Streams.Conformance.Kills;

/// <summary>What came of the acknowledged events of one row.</summary>
/// <param name="Fault">What was killed, and when.</param>
/// <param name="Effect">In Redis, or outside.</param>
/// <param name="Kills">How often.</param>
/// <param name="Acknowledged">Events whose append was acknowledged.</param>
/// <param name="Lost">Of these, events without their effect.</param>
/// <param name="Repeated">Events that had it more than once.</param>
/// <param name="ForeignKey">Of these, events whose effects had different idempotency keys.</param>
internal sealed record Outcome(string Fault, string Effect, int Kills, int Acknowledged, int Lost, int Repeated, int ForeignKey)
{
    public static Outcome OfState(string fault, int kills, EventLog log, IReadOnlyDictionary<int, int> counts)
        => new(fault, "state in Redis", kills, log.Acknowledged.Count, log.Acknowledged.Count(n => !counts.ContainsKey(n)),
        counts.Count(c => c.Value > 1), 0);

    /// <param name="fault">What was killed, and when.</param>
    /// <param name="kills">How often.</param>
    /// <param name="log">What was appended.</param>
    /// <param name="mails">Number and idempotency key of each.</param>
    public static Outcome OfMails(string fault, int kills, EventLog log, IEnumerable<string> mails)
    {
        var byNumber = mails.Select(l => l.Split(' ')).ToLookup(m => int.Parse(m[0], CultureInfo.InvariantCulture), m => m[1]);
        return new(fault, "mail", kills, log.Acknowledged.Count, log.Acknowledged.Count(n => !byNumber.Contains(n)),
            byNumber.Count(m => m.Count() > 1), byNumber.Count(m => m.Distinct().Count() > 1));
    }

    /// <summary>An effect in Redis happens once; one outside may be repeated, with the same key.</summary>
    public bool IsRight => Lost == 0 && ForeignKey == 0 && (Effect == "mail" || Repeated == 0);
}
