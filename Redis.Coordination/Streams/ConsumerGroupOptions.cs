using AspireRedis.Coordination.Locking;

namespace AspireRedis.Coordination.Streams;

/// <summary>Options of a <see cref="ConsumerGroup{T}"/> that do not depend on the type of the event.</summary>
public class ConsumerGroupOptions
{
    /// <summary>Name of the group. Instances with the same name share the work; other groups get every entry too. Required.</summary>
    public string Group { get; set; } = "";

    /// <summary>
    /// Name of this instance in the group. It must differ between instances. With a name that survives restarts, the
    /// instance resumes at once what it had not finished. Null, the default, for a name that no other instance has: the machine
    /// name, the process id and a random number.
    /// </summary>
    public string? Consumer { get; set; }

    /// <summary>Where a group that does not exist yet starts to read. Default: at the oldest entry, so that none is missed.</summary>
    public StartPosition StartAt { get; set; } = StartPosition.Beginning;

    /// <summary>Maximum number of entries per read. Default 100.</summary>
    public int BatchSize { get; set; } = 100;

    /// <summary>Maximum number of handlers that run concurrently in this instance, over all of its partitions. Default 8.</summary>
    public int MaxConcurrency { get; set; } = 8;

    /// <summary>How long one blocking read waits on the server. Not a polling interval: new entries arrive at once. Default 5 s.</summary>
    public TimeSpan Block { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long an entry must have been idle before another consumer claims it. A living consumer resets the idle time
    /// of the entries that it is working on, so handlers may take longer. Of a topic with partitions it is how long the partitions of an
    /// instance that shows no sign of life are left to it, at most an hour. Default 15 s.
    /// </summary>
    public TimeSpan MinIdle { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long an entry with a newer schema version than the topic's is left to other instances, which may know it, before it goes to
    /// the dead letters; those deliveries do not count. It should exceed a rolling upgrade. Default 1 h.
    /// </summary>
    public TimeSpan NewerVersionsWait { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Deliveries after which an entry goes to the dead letters. Default 10.</summary>
    public int MaxDeliveries { get; set; } = 10;

    /// <summary>
    /// How long a failed entry waits for its second delivery. The delay doubles with each further delivery and is
    /// shortened at random by up to a half. Entries behind it do not wait. Default 1 s.
    /// </summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Upper bound of the retry delay. Default 5 min.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long running handlers may continue after the host has been asked to stop. Default 10 s.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a consumer must have been idle, with nothing pending, before its name is removed from the group.
    /// Default 1 h.
    /// </summary>
    public TimeSpan ForgetConsumersAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Deletes an entry as soon as every group of the stream has acknowledged it. The stream is then a queue: there is
    /// nothing to replay. Default false.
    /// </summary>
    public bool DeleteHandled { get; set; }

    /// <summary>Whether entries are ordered by a key.</summary>
    internal virtual bool IsOrdered => false;

    internal virtual int MaxParked => 0;

    /// <summary>MinIdle is the TTL of the leases of partitions.</summary>
    internal void ValidateForPartitions() => ArgumentOutOfRangeException.ThrowIfGreaterThan(MinIdle, LeaseOptions.MaxTtl);

    internal virtual void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Group);
        if (Consumer is not null)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(Consumer);
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConcurrency, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDeliveries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Block, TimeSpan.FromMilliseconds(10));
        ArgumentOutOfRangeException.ThrowIfLessThan(MinIdle, TimeSpan.FromMilliseconds(100));
        ArgumentOutOfRangeException.ThrowIfLessThan(RetryDelay, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRetryDelay, RetryDelay);
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(NewerVersionsWait, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(ForgetConsumersAfter, MinIdle);
    }
}

/// <summary>Options of a <see cref="ConsumerGroup{T}"/>.</summary>
/// <typeparam name="T">The type of the event.</typeparam>
public sealed class ConsumerGroupOptions<T> : ConsumerGroupOptions
    where T : class
{
    /// <summary>
    /// Selects the ordering key of an event (an order id, for example). Events with the same key are handled one at a
    /// time in stream order, also when one fails and is retried; events with different keys run in parallel. Null, the
    /// default, means no ordering.
    /// </summary>
    /// <remarks>
    /// Of a topic with partitions the order holds over the whole group, and null means the key of the topic; another selector must give
    /// the same key only to events of one partition.
    /// Otherwise the order holds among the entries that one instance has read. Instances of a group share a stream entry by entry:
    /// where the order must hold for the whole group, run one instance. Entries that are claimed from a dead instance
    /// arrive late.
    /// </remarks>
    public Func<T, string>? OrderBy { get; set; }

    /// <summary>
    /// How many entries may wait in memory behind an earlier entry with the same key. When the limit is reached, nothing
    /// new is read. Of a topic with partitions it counts for each. Default 1000.
    /// </summary>
    public int MaxWaitingInOrder { get; set; } = 1000;

    internal override bool IsOrdered => OrderBy is not null;

    internal override int MaxParked => MaxWaitingInOrder;

    internal override void Validate()
    {
        base.Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWaitingInOrder, 1);
    }
}
