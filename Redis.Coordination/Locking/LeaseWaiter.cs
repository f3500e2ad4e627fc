namespace AspireRedis.Coordination.Locking;

/// <summary>One caller that is, or may be, in the queue of a lease, and how it is woken.</summary>
internal sealed class LeaseWaiter(string resource)
{
    private TaskCompletionSource _woken = NewSignal();
    private int _resynchronising;

    public string Resource { get; } = resource;

    /// <summary>It was woken since its last look began.</summary>
    public bool IsWoken => _woken.Task.IsCompleted;

    /// <summary>Has the waiter look. Cheap and harmless when it is not waiting.</summary>
    public void Wake() => Volatile.Read(ref _woken).TrySetResult();

    /// <summary>Has it look because its place may be lost; it need not tell the others of its process.</summary>
    public void Resynchronise()
    {
        Volatile.Write(ref _resynchronising, 1);
        Wake();
    }

    /// <summary>Call before each look: what wakes it from then on is not lost. True when it was <see cref="Resynchronise"/>.</summary>
    public bool BeginLook()
    {
        if (_woken.Task.IsCompleted)
        {
            Volatile.Write(ref _woken, NewSignal());
        }
        return Interlocked.Exchange(ref _resynchronising, 0) == 1;
    }

    /// <summary>Until it is woken or the time is over.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            await _woken.Task.WaitAsync(atMost, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Time to look.
        }
    }

    // Continuations on the pool: whoever wakes must not run the code of the woken.
    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
