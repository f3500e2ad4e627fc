using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// One call of acquire, from its first attempt until it has failed or its lease is given back. All its attempts bear the
/// same owner token, so that each finds what an earlier one made. Safe for concurrent use.
/// </summary>
internal sealed class LeaseRequest(string resource, RedisKey[] keys, string owner, LeaseOptions options)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _woken;
    private bool _wake;
    private bool _resynchronising;
    private bool _closed;
    private long _queueToken;
    private long _queuedSince;
    private Lease? _lease;

    public string Resource { get; } = resource;

    /// <summary>See <see cref="ILeaseScripts.KeysOf"/>.</summary>
    public RedisKey[] Keys { get; } = keys;

    public string Owner { get; } = owner;

    public LeaseOptions Options { get; } = options;

    /// <summary>The last attempt, which a cancelled caller does not wait for.</summary>
    public Task? Attempt { get; set; }

    /// <summary>The lease that it was granted; null while it waits.</summary>
    public Lease? Lease => Volatile.Read(ref _lease);

    /// <summary>Who handed the lease over within the process, while the server may still take that one for the owner.</summary>
    public string? Predecessor { get; set; }

    /// <summary>The server takes this one for the owner.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>
    /// Who is next in the queue, when that is a caller of this process. It stays the first there as long as this one holds
    /// the lease: others queue behind it.
    /// </summary>
    public LeaseRequest? Successor { get; set; }

    /// <summary>See <see cref="AcquireReply.QueueToken"/>; zero when it is not known.</summary>
    public long QueueToken
    {
        get
        {
            lock (_gate)
            {
                return _queueToken;
            }
        }
    }

    /// <summary>It was woken since its last attempt began.</summary>
    public bool IsWoken
    {
        get
        {
            lock (_gate)
            {
                return _wake;
            }
        }
    }

    /// <summary>Has it try again. Cheap and harmless when it is not waiting.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            _wake = true;
            _woken?.TrySetResult();
        }
    }

    /// <summary>Has it try again because its place may be lost; it need not tell the others of its process.</summary>
    public void Resynchronise()
    {
        lock (_gate)
        {
            _resynchronising = true;
            _wake = true;
            _woken?.TrySetResult();
        }
    }

    /// <summary>
    /// Call before each attempt: what wakes it from then on is not lost, and until the answer it is not granted a lease by
    /// others, for its place in the queue may be another one. False when it has been granted or closed already.
    /// </summary>
    public bool BeginAttempt(out bool resynchronising)
    {
        lock (_gate)
        {
            resynchronising = _resynchronising;
            _resynchronising = false;
            if (_lease is not null || _closed)
            {
                return false;
            }
            _queueToken = 0;
            _wake = false;
            _woken = null;
            return true;
        }
    }

    /// <summary>It is in the queue, and was not granted the lease before <paramref name="since"/>.</summary>
    public void Queued(long queueToken, long since)
    {
        lock (_gate)
        {
            _queueToken = queueToken;
            _queuedSince = since;
        }
    }

    /// <summary>
    /// Grants the lease to one that waits in the queue with this token. <paramref name="create"/> gets the time since which
    /// it has waited; it may return null to have it try again instead.
    /// </summary>
    public bool TryGrant(long queueToken, Func<long, Lease?> create)
    {
        lock (_gate)
        {
            if (_closed || _lease is not null || queueToken == 0 || queueToken != _queueToken || create(_queuedSince) is not { } lease)
            {
                return false;
            }
            Volatile.Write(ref _lease, lease);
            _woken?.TrySetResult();
            return true;
        }
    }

    /// <summary>An attempt was answered with the lease. False when the request was closed meanwhile.</summary>
    public bool TryTake(Lease lease)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return false;
            }
            Volatile.Write(ref _lease, lease);
            return true;
        }
    }

    /// <summary>It does not want the lease any more. False when it has got it already.</summary>
    public bool TryClose()
    {
        lock (_gate)
        {
            if (_lease is not null)
            {
                return false;
            }
            _closed = true;
            _wake = true;
            _woken?.TrySetResult();
            return true;
        }
    }

    /// <summary>Until it is woken or granted, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        Task woken;
        lock (_gate)
        {
            if (_wake || _lease is not null || _closed)
            {
                return;
            }
            // Continuations on the pool: whoever wakes must not run the code of the woken.
            _woken ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            woken = _woken.Task;
        }
        await woken.CompletesWithinAsync(atMost, clock, cancellationToken);
    }
}
