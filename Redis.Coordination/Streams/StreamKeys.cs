namespace AspireRedis.Coordination.Streams;

/// <summary>Keys beside a stream that name a group: a group or an event id may contain the colon that separates them.</summary>
internal static class StreamKeys
{
    /// <summary>The record that the group has handled the event.</summary>
    public static string InboxOf(string stream, string group, string eventId)
        => group.Contains(':', StringComparison.Ordinal) || eventId.Contains(':', StringComparison.Ordinal)
            ? $"{stream}:inbox%:{Escape(group)}:{Escape(eventId)}"
            : EarlierInboxOf(stream, group, eventId);

    /// <summary>The same as it was named by earlier versions: not escaped, so that it may be the record of another group's event.</summary>
    public static string EarlierInboxOf(string stream, string group, string eventId) => $"{stream}:inbox:{group}:{eventId}";

    /// <summary>The living instances of the group.</summary>
    public static string InstancesOf(string stream, string group) => $"{stream}:instances:{Escape(group)}";

    private static string Escape(string name)
        => name.Replace("%", "%25", StringComparison.Ordinal).Replace(":", "%3A", StringComparison.Ordinal);
}
