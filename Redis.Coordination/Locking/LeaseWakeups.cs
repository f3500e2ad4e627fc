using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// The channel on which a provider hears that a lease was handed over to one of its waiters: one subscription, opened
/// when the first of them needs it and kept.
/// </summary>
internal sealed class LeaseWakeups : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, LeaseRequest> _requests = new(StringComparer.Ordinal);
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

    /// <summary>The lease is a waiter's, with this fencing token and for this long until it is confirmed.</summary>
    public event Action<LeaseRequest, long, TimeSpan>? HandedOver;

    /// <summary>A message for an owner that this process knows nothing of, such as one whose wait was cancelled.</summary>
    public event Action<string, string>? Orphaned;

    /// <summary>The connection came back: what was said meanwhile was not heard.</summary>
    public event Action? Restored;

    /// <summary>Who waits or has a lease for which somebody waited.</summary>
    public IEnumerable<LeaseRequest> Requests => _requests.Values;

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
                Unfollow();
                _followed = connection;
                connection.ConnectionRestored += OnRestored;
                connection.ConfigurationChanged += OnChanged;
            }
        }
    }

    public void Register(LeaseRequest request) => _requests[request.Owner] = request;

    public void Forget(string owner) => _requests.TryRemove(owner, out _);

    /// <summary>The request of an owner of this process; null when it is another's.</summary>
    public LeaseRequest? Find(string? owner) => owner is not null && _requests.TryGetValue(owner, out var request) ? request : null;

    /// <summary>Has all waiters of a resource, or all there are, look after their places in the queue.</summary>
    public void Resynchronise(string? resource)
    {
        foreach (var (_, request) in _requests)
        {
            if (resource is null || request.Resource == resource)
            {
                request.Resynchronise();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Subscription? subscription;
        lock (_gate)
        {
            Unfollow();
            _followed = null;
            subscription = _subscription;
            _subscription = null;
        }
        if (subscription is not null)
        {
            try
            {
                await subscription.Connection.GetSubscriber().UnsubscribeAsync(_channel);
            }
            catch (Exception e) when (e is ObjectDisposedException || e.IsOfRedis())
            {
                _logger.LogDebug(e, "The subscription ends with its connection.");
            }
        }
    }

    private void Unfollow()
    {
        if (_followed is { } connection)
        {
            connection.ConnectionRestored -= OnRestored;
            connection.ConfigurationChanged -= OnChanged;
        }
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs e) => _ = ResynchroniseAsync();

    private void OnChanged(object? sender, EndPointEventArgs e) => _ = ResynchroniseAsync();

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "An event handler: there is nobody to throw at.")]
    private async Task ResynchroniseAsync()
    {
        try
        {
            // On the connection of the subscription, behind the command that renewed it.
            if (Volatile.Read(ref _followed) is { } connection)
            {
                await connection.GetSubscriber().PingAsync(CommandFlags.DemandMaster);
            }
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "The subscription is not back yet.");
        }
        Restored?.Invoke();
        Resynchronise(null);
    }

    /// <summary>The owner, its fencing token, for how many ms it has the lease, and the name of the lease.</summary>
    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        if (((string?)message)?.Split(' ', 4) is not [var owner, var token, var claim, var resource]
            || !long.TryParse(token, CultureInfo.InvariantCulture, out var fencingToken) || !long.TryParse(claim, CultureInfo.InvariantCulture, out var ms))
        {
            return;
        }
        if (Find(owner) is { } request)
        {
            HandedOver?.Invoke(request, fencingToken, TimeSpan.FromMilliseconds(ms));
        }
        else
        {
            Orphaned?.Invoke(resource, owner);
        }
    }

    private sealed record Subscription(IConnectionMultiplexer Connection, Task Confirmed);
}
