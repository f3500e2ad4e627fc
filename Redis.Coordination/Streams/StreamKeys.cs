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

    /// <summary>The fence of a partition.</summary>
    public static string FenceOf(string stream, string group) => $"{stream}:fence:{Escape(group)}";

    /// <summary>The living instances of a group that divides the partitions of a topic, and who is to have which.</summary>
    public static string MembersOf(string topic, string group) => $"{topic}:members:{Escape(group)}";

    /// <summary>
    /// The lease of whoever reads a partition. The tag comes last, for what a lease with a tag may end in, and so that what comes
    /// before is the same for all.
    /// </summary>
    public static string PartitionLockOf(string topic, string group, string tag) => $"partition_lock:{topic}:{Escape(group)}:{tag}";

    private static string Escape(string name)
        => name.Replace("%", "%25", StringComparison.Ordinal).Replace(":", "%3A", StringComparison.Ordinal);
}
