using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// The channel on which a provider hears that a lease was handed over to one of its waiters: one subscription, opened
/// when the first of them needs it and kept. Safe for concurrent use.
/// </summary>
internal sealed class LeaseChannel : IAsyncDisposable
{
    private const string Prefix = "lease-wake:";

    private readonly RedisChannel _channel;
    private readonly Func<string> _prefix;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private Subscription? _subscription;
    private IConnectionMultiplexer? _followed;

    /// <param name="providerId">See <see cref="LeaseRequests.ProviderIdAt"/>.</param>
    /// <param name="prefix">See <see cref="RedisDeployment.ChannelPrefix"/>.</param>
    /// <param name="logger">Hears of subscriptions that fail.</param>
    public LeaseChannel(string providerId, Func<string> prefix, ILogger logger)
    {
        _prefix = prefix;
        _logger = logger;
        _channel = RedisChannel.Literal($"{Prefix}{providerId}");
    }

    /// <summary>
    /// The name of a lease, the owner of this provider to whom it was handed over, and for how long until it is confirmed.
    /// With zeros for token and time the owner is only to try again. It may be unknown, as when its wait was cancelled.
    /// </summary>
    public event Action<string, LeaseHandOver, TimeSpan>? HandedOver;

    /// <summary>The connection came back: what was said meanwhile was not heard.</summary>
    public event Action? Restored;

    public bool IsListening(IConnectionMultiplexer connection)
        => Volatile.Read(ref _subscription) is { } s && ReferenceEquals(s.Connection, connection) && s.Confirmed.IsCompletedSuccessfully;

    /// <summary>Until the server has confirmed the subscription.</summary>
    /// <exception cref="RedisUnavailableException">It did not.</exception>
    public Task ListenAsync(IConnectionMultiplexer connection)
    {
        lock (_gate)
        {
            if (_subscription is not { } current || !ReferenceEquals(current.Connection, connection)
                || current.Confirmed.IsFaulted || current.Confirmed.IsCanceled)
            {
                Follow(connection);
                _subscription = current = new Subscription(connection, SubscribeAsync(connection));
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

    private async Task SubscribeAsync(IConnectionMultiplexer connection)
    {
        try
        {
            // The primary says in a release whether it reaches us; by way of a replica it would not know.
            await connection.GetSubscriber().SubscribeAsync(_channel, OnMessage, CommandFlags.DemandMaster);
        }
        catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final)
        {
            // Whatever became of it, no lease was asked for.
            throw new RedisUnavailableException(e);
        }
        catch (Exception e) when (PermissionDenied.Explain(e, $"{_prefix()}{Prefix}*") is { } denied)
        {
            throw denied;
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

    private void OnRestored(object? sender, ConnectionFailedEventArgs e) => _ = NotifyRestoredAsync();

    private void OnChanged(object? sender, EndPointEventArgs e) => _ = NotifyRestoredAsync();

    [SuppressMessage("Design", "CA1031", Justification = "An event handler: there is nobody to throw at.")]
    private async Task NotifyRestoredAsync()
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
    }

    /// <summary>The owner, its fencing token, for how many ms it has the lease, and the name of the lease.</summary>
    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        if (((string?)message)?.Split(' ', 4) is not [var owner, var token, var claim, var resource]
            || !long.TryParse(token, CultureInfo.InvariantCulture, out var fencingToken)
            || !long.TryParse(claim, CultureInfo.InvariantCulture, out var ms))
        {
            return;
        }
        HandedOver?.Invoke(resource, new LeaseHandOver(owner, fencingToken), TimeSpan.FromMilliseconds(ms));
    }

    private sealed record Subscription(IConnectionMultiplexer Connection, Task Confirmed);
}
