using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Leases without Redis, as a user of the library would fake them: each test says what happens to which.</summary>
internal sealed class FakeLeases : ILeaseProvider
{
    /// <summary>Those that were granted, in order.</summary>
    public ConcurrentQueue<FakeLease> Granted { get; } = new();

    /// <summary>Names of leases that somebody else holds.</summary>
    public HashSet<string> HeldElsewhere { get; } = [];

    /// <summary>The token of the next lease.</summary>
    public long NextToken { get; set; } = 1;

    /// <summary>Runs whenever a lease is granted.</summary>
    public Action<FakeLease> OnGranted { get; set; } = _ => { };

    /// <summary>What a caller waits for; it gets the token of the call.</summary>
    public Func<CancellationToken, Task> OnAsked { get; set; } = _ => Task.CompletedTask;

    public async Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (HeldElsewhere.Contains(resource))
        {
            return null;
        }
        await OnAsked(cancellationToken);
        var lease = new FakeLease(resource, NextToken++);
        Granted.Enqueue(lease);
        OnGranted(lease);
        return lease;
    }
}

/// <summary>A lease that is lost when the test says so.</summary>
internal sealed class FakeLease(string resource, long fencingToken) : ILease
{
    private readonly CancellationTokenSource _lost = new();

    public string Resource => resource;

    public long FencingToken => fencingToken;

    public CancellationToken LostToken => _lost.Token;

    public TimeSpan Remaining => TimeSpan.FromSeconds(10);

    public bool IsGivenBack { get; private set; }

    public void Lose() => _lost.Cancel();

    public ValueTask DisposeAsync()
    {
        IsGivenBack = true;
        return ValueTask.CompletedTask;
    }
}
