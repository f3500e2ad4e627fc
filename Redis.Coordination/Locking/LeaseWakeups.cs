using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// The channel on which a provider hears that a lease was handed over to one of its waiters: one subscription, opened
/// when the first of them needs it and kept.
/// </summary>
internal sealed class LeaseWakeups
{
    private readonly ConcurrentDictionary<string, LeaseWaiter> _waiters = new(StringComparer.Ordinal);
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly RedisChannel _channel;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private Subscription? _subscription;
    private IConnectionMultiplexer? _followed;
    private long _lastOwner;

    /// <param name="logger">Hears of subscriptions that fail.</param>
    public LeaseWakeups(ILogger logger)
    {
        _logger = logger;
        _channel = RedisChannel.Literal($"lease-wake:{_id}");
    }

    /// <summary>A message for an owner that this process knows nothing of, such as one whose wait was cancelled.</summary>
    public event Action<string, string>? Orphaned;

    /// <summary>The connection came back: what was said meanwhile was not heard.</summary>
    public event Action? Restored;

    /// <summary>A token that nobody else has; it begins with the provider's id, 32 characters.</summary>
    public string NewOwner() => $"{_id}.{Interlocked.Increment(ref _lastOwner):x}";

    public bool IsListening(IConnectionMultiplexer connection)
        => Volatile.Read(ref _subscription) is { } s && ReferenceEquals(s.Connection, connection) && s.Confirmed.IsCompletedSuccessfully;

    /// <summary>Until the server has confirmed the subscription.</summary>
    public Task ListenAsync(IConnectionMultiplexer connection)
    {
        lock (_gate)
        {
            if (_subscription is not { } current || !ReferenceEquals(current.Connection, connection) || current.Confirmed.IsFaulted || current.Confirmed.IsCanceled)
            {
                Follow(connection);
                // The primary says in release whether it reaches us; by way of a replica it would not know.
                _subscription = current = new Subscription(
                    connection, connection.GetSubscriber().SubscribeAsync(_channel, OnMessage, CommandFlags.DemandMaster));
            }
            return current.Confirmed;
        }
    }

    /// <summary>Hears when the connection is back; <see cref="ListenAsync"/> does so too.</summary>
    public void Follow(IConnectionMultiplexer connection)
    {
        if (ReferenceEquals(Volatile.Read(ref _followed), connection))
        {
            return;
        }
        lock (_gate)
        {
            if (!ReferenceEquals(_followed, connection))
            {
                _followed = connection;
                connection.ConnectionRestored += (_, _) => _ = ResynchroniseAsync(connection);
                connection.ConfigurationChanged += (_, _) => _ = ResynchroniseAsync(connection);
            }
        }
    }

    public LeaseWaiter Register(string owner, string resource) => _waiters.GetOrAdd(owner, static (_, r) => new LeaseWaiter(r), resource);

    public void Forget(string owner) => _waiters.TryRemove(owner, out _);

    /// <summary>Wakes a waiter of this process; false when it is another's.</summary>
    public bool TryWake(string owner)
    {
        if (!_waiters.TryGetValue(owner, out var waiter))
        {
            return false;
        }
        waiter.Wake();
        return true;
    }

    /// <summary>Has all waiters of a resource, or all there are, look after their places in the queue.</summary>
    public void Resynchronise(string? resource)
    {
        foreach (var (_, waiter) in _waiters)
        {
            if (resource is null || waiter.Resource == resource)
            {
                waiter.Resynchronise();
            }
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "An event handler: there is nobody to throw at.")]
    private async Task ResynchroniseAsync(IConnectionMultiplexer connection)
    {
        try
        {
            // On the connection of the subscription, behind the command that renewed it.
            await connection.GetSubscriber().PingAsync(CommandFlags.DemandMaster);
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "The subscription is not back yet.");
        }
        Restored?.Invoke();
        Resynchronise(null);
    }

    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        var text = (string?)message ?? "";
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space > 0 && !TryWake(text[..space]))
        {
            Orphaned?.Invoke(text[(space + 1)..], text[..space]);
        }
    }

    private sealed record Subscription(IConnectionMultiplexer Connection, Task Confirmed);
}
