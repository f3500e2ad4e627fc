namespace AspireRedis.Coordination.Streams;

/// <summary>An entry that could not be handled, as stored in <c>KEY:dead</c>.</summary>
/// <param name="Id">Its id among the dead letters.</param>
/// <param name="Stream">The stream it comes from.</param>
/// <param name="Group">The group that could not handle it. Other groups may have handled it.</param>
/// <param name="EntryId">Its id in that stream.</param>
/// <param name="Reason">Why it was moved here.</param>
/// <param name="Deliveries">How often it was delivered.</param>
/// <param name="At">When it was moved here, by the server's clock.</param>
/// <param name="Fields">The fields of the original entry.</param>
public sealed record DeadLetter(
    string Id, string Stream, string Group, string EntryId, string Reason, long Deliveries, DateTimeOffset At,
    IReadOnlyDictionary<string, string> Fields);

/// <summary>A page of the dead letters of a stream.</summary>
/// <param name="Items">The dead letters, oldest first.</param>
/// <param name="Next">The id after which the next page starts; null on the last page.</param>
public sealed record DeadLetterPage(IReadOnlyList<DeadLetter> Items, string? Next);
