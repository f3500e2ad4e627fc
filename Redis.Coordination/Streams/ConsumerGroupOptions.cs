namespace AspireRedis.Coordination.Streams;

/// <summary>Options of a <see cref="ConsumerGroup{T}"/> that do not depend on the type of the event.</summary>
public class ConsumerGroupOptions
{
    /// <summary>Name of the group. Instances with the same name share the work; other groups get every entry too. Required.</summary>
    public string Group { get; set; } = "";

    /// <summary>
    /// Name of this instance in the group. It must differ between instances; one that survives restarts lets the
    /// instance find at once what it had not finished. Default: the machine's name and the process id.
    /// </summary>
    public string Consumer { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>Where a group begins that does not exist yet. Default: at the oldest entry, so that none is missed.</summary>
    public StartPosition StartAt { get; set; } = StartPosition.Beginning;

    /// <summary>Entries fetched by one read. Default 100.</summary>
    public int BatchSize { get; set; } = 100;

    /// <summary>Handlers that run at the same time in this instance. Default 8.</summary>
    public int MaxConcurrency { get; set; } = 8;

    /// <summary>How long one blocking read waits on the server. Default 5 s. It is no polling interval: entries arrive at once.</summary>
    public TimeSpan Block { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long an entry is left alone before it is taken from a consumer that shows no sign of life. A living consumer
    /// refreshes the entries it works on, so handlers may take longer. Default 15 s.
    /// </summary>
    public TimeSpan MinIdle { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Deliveries after which an entry goes to the dead letters. Default 10.</summary>
    public int MaxDeliveries { get; set; } = 10;

    /// <summary>
    /// How long a failed entry waits for its second delivery; doubled with each further one, and shortened at random by
    /// up to a half. Those behind it do not wait. Default 1 s.
    /// </summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait between two deliveries. Default 5 min.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long handlers may go on after the host was asked to stop. Default 10 s.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long the name of a consumer that has shown no sign of life, and has nothing pending, stays in the group.
    /// Default 1 h.
    /// </summary>
    public TimeSpan ForgetConsumersAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Deletes an entry as soon as every group of the stream has acknowledged it: the stream is a queue then, and there
    /// is nothing to replay. Default false.
    /// </summary>
    public bool DeleteHandled { get; set; }

    /// <summary>Whether entries are ordered by a key.</summary>
    internal virtual bool IsOrdered => false;

    internal virtual int MaxParked => 0;

    internal virtual void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Group);
        ArgumentException.ThrowIfNullOrWhiteSpace(Consumer);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConcurrency, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDeliveries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Block, TimeSpan.FromMilliseconds(10));
        ArgumentOutOfRangeException.ThrowIfLessThan(MinIdle, TimeSpan.FromMilliseconds(100));
        ArgumentOutOfRangeException.ThrowIfLessThan(RetryDelay, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRetryDelay, RetryDelay);
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(ForgetConsumersAfter, MinIdle);
    }
}

/// <summary>Options of a <see cref="ConsumerGroup{T}"/>.</summary>
/// <typeparam name="T">The type of the event.</typeparam>
public sealed class ConsumerGroupOptions<T> : ConsumerGroupOptions
    where T : class
{
    /// <summary>
    /// The key of an event (an order id, say): those of one key are handled one after the other in the order of the
    /// stream, also when one fails and is tried again, those of different keys in parallel. Null, the default, for no
    /// order at all.
    /// </summary>
    /// <remarks>
    /// The order holds among the entries that one instance has read. Instances of a group share a stream entry by entry:
    /// where the order must hold for the whole group, run one instance. What another instance left behind when it died
    /// comes late.
    /// </remarks>
    public Func<T, string>? OrderBy { get; set; }

    /// <summary>
    /// Entries that may wait in memory for others of their key; when there are as many, nothing new is read. Default
    /// 1000.
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
