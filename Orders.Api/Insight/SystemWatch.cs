using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Streams;
using AspireRedis.ServiceDefaults.Live;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using OpenTelemetry;

namespace AspireRedis.Orders.Insight;

/// <summary>
/// Looks at the inside of the system for as long as somebody wants to know, and makes one snapshot for all who do. Each listener gets
/// the newest when it is ready for one: who reads slowly misses some, holds nobody up and costs no memory. Safe for concurrent use.
/// </summary>
/// <remarks>
/// What it costs Redis while somebody listens, and whatever their number: <c>describe-lease</c> for at most 20 leases each 50 ms, each
/// 500 ms <c>INFO replication</c> (of each shard, in a cluster), and for each of two streams <c>XINFO GROUPS</c> and
/// <c>describe-group</c> for each group. And Inventory.Api one <c>GET /products</c> each five seconds. Nothing when nobody listens.
/// </remarks>
internal sealed class SystemWatch(
    LeaseInspector leases, DeploymentInspector deployment, StreamGroups groups, ShopPartitions partitions, IServiceProvider services,
    IOptions<JsonOptions> json, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<SystemWatch> logger)
    : IAsyncDisposable
{
    private const int MaxLeases = 20;

    // A flash sale on a few items is over within some 100 ms.
    private static readonly TimeSpan s_leaseLook = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_productLook = TimeSpan.FromSeconds(5);
    // The first snapshot waits for so long for what is slow, or cannot be had.
    private static readonly TimeSpan s_firstBound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_unreached = TimeSpan.FromMilliseconds(1500);
    // Who hears nothing for longer may take the connection for lost.
    private static readonly TimeSpan s_repeat = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_reconnect = TimeSpan.FromSeconds(2);
    // A browser that reconnects finds it at work.
    private static readonly TimeSpan s_linger = TimeSpan.FromSeconds(2);

    private readonly RegionMonitor? _region = services.GetService<RegionMonitor>();
    private readonly ServerList _serverList = new();
    private readonly LeaseList _leaseList = new();
    private readonly Lock _lock = new();
    private readonly WhileListened<CancellationTokenSource> _run = new(
        static _ => false, StopAsync, s_linger, clock, lifetime.ApplicationStopping);
    private TaskCompletionSource _changed = NewSignal();
    private Published? _latest;
    private long _published;

    // What was seen last; each is written by one loop.
    private volatile IReadOnlyList<string> _skus = [];
    private volatile IReadOnlyList<LeaseView> _leases = [];
    private volatile IReadOnlyList<GroupView> _groups = [];
    private volatile IReadOnlyList<ServerView> _servers = [];
    private volatile StrongBox<int?> _sentinels = new();
    private long _reachedAt;

    /// <summary>One snapshot; at work already it is the last one, which is at most half a second old unless Redis is away.</summary>
    public async Task<SystemSnapshot> LookAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        _run.Join(Start);
        try
        {
            return (await NextAsync(0, ending.Token)).Snapshot;
        }
        finally
        {
            _run.Leave();
        }
    }

    /// <summary>A snapshot now and one for each change, at most each 500 ms, until it is cancelled.</summary>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        _run.Join(Start);
        try
        {
            var seen = 0L;
            while (true)
            {
                var next = await NextAsync(seen, cancellationToken);
                seen = next.Number;
                yield return new SseItem<string>(next.Json, "system") { ReconnectionInterval = s_reconnect };
            }
        }
        finally
        {
            _run.Leave();
        }
    }

    public ValueTask DisposeAsync() => _run.DisposeAsync();

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>A snapshot after that one; the same again when there is none for a while.</summary>
    private async Task<Published> NextAsync(long seen, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_latest is { } latest && latest.Number > seen)
                {
                    return latest;
                }
                changed = _changed.Task;
            }
            try
            {
                await changed.WaitAsync(s_repeat, clock, cancellationToken);
            }
            catch (TimeoutException)
            {
                seen = 0;
            }
        }
    }

    private CancellationTokenSource Start()
    {
        lock (_lock)
        {
            // Who comes wants to know how it is now.
            _latest = null;
        }
        var run = new CancellationTokenSource();
        var stop = run.Token;
        // Not in the trace of whoever came first.
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(() => RunAsync(stop), CancellationToken.None);
        }
        return run;
    }

    private static async Task StopAsync(CancellationTokenSource run)
    {
        await run.CancelAsync();
        run.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        using var _ = SuppressInstrumentationScope.Begin();
        var first = new[] { NewSignal(), NewSignal(), NewSignal() };
        await Task.WhenAll(
            RepeatAsync(s_productLook, LookAtProductsAsync, null, stopping),
            RepeatAsync(s_leaseLook, LookAtLeasesAsync, first[0], stopping),
            RepeatAsync(s_look, LookAtGroupsAsync, first[1], stopping),
            RepeatAsync(s_look, LookAtServersAsync, first[2], stopping),
            PublishAsync(Task.WhenAll(first.Select(f => f.Task)), stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RepeatAsync(
        TimeSpan period, Func<CancellationToken, Task> lookAsync, TaskCompletionSource? first, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(period, clock);
        do
        {
            try
            {
                await lookAsync(stopping);
                first?.TrySetResult();
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                // What was seen last is shown with the word that Redis is not reached; the connection says the rest itself.
                logger.LogDebug(e, "A look at the inside failed.");
            }
        }
        while (await timer.WaitForNextTickAsync(stopping));
    }

    private async Task LookAtProductsAsync(CancellationToken cancellationToken)
        => _skus = await services.GetRequiredService<InventoryClient>().FindLeasedAsync(MaxLeases, cancellationToken);

    private async Task LookAtLeasesAsync(CancellationToken cancellationToken)
    {
        var skus = _skus;
        var looked = await leases.DescribeAsync(skus.Select(partitions.StockLeaseOf), cancellationToken);
        _leases = _leaseList.Update([.. skus.Zip(looked)]);
    }

    private async Task LookAtGroupsAsync(CancellationToken cancellationToken)
    {
        var all = await Task.WhenAll(
            LookAtGroupsAsync(partitions.OrderPlaced, cancellationToken), LookAtGroupsAsync(partitions.Email, cancellationToken));
        _groups = [.. all.SelectMany(views => views)];
    }

    private async Task<IEnumerable<GroupView>> LookAtGroupsAsync<T>(StreamTopic<T> topic, CancellationToken cancellationToken)
        where T : class
    {
        var names = await groups.NamesAsync(topic, cancellationToken);
        return await Task.WhenAll(names.Select(async name => await groups.DescribeAsync(topic, name, cancellationToken) is { } status
            ? new GroupView(topic.Key, name, status.Lag, status.Pending, status.Consumers, status.DeadLetters)
            // Deleted in between.
            : new GroupView(topic.Key, name, null, 0, 0, 0)));
    }

    private async Task LookAtServersAsync(CancellationToken cancellationToken)
    {
        var shards = await deployment.DescribeShardsAsync(cancellationToken);
        if (!shards.Any(s => s.Status is not null))
        {
            return;
        }
        _servers = _serverList.Update(shards);
        _sentinels = new StrongBox<int?>(shards[0].Status?.Sentinels);
        Volatile.Write(ref _reachedAt, Stopwatch.GetTimestamp());
    }

    private async Task PublishAsync(Task looked, CancellationToken stopping)
    {
        await Task.WhenAny(looked, Task.Delay(s_firstBound, clock, stopping));
        using var timer = new PeriodicTimer(s_look, clock);
        do
        {
            var reachedAt = Volatile.Read(ref _reachedAt);
            var snapshot = new SystemSnapshot(
                reachedAt > 0 && Stopwatch.GetElapsedTime(reachedAt) < s_unreached, _leases, _groups, _servers, _sentinels.Value,
                ServerList.Show(deployment.LastFailover),
                _region?.Current is { } region ? new RegionView(region.Region, region.IsActive, region.ActiveRegion, region.Epoch) : null);
            Publish(snapshot, JsonSerializer.Serialize(snapshot, json.Value.SerializerOptions), stopping);
        }
        while (await timer.WaitForNextTickAsync(stopping));
    }

    private void Publish(SystemSnapshot snapshot, string text, CancellationToken stopping)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (stopping.IsCancellationRequested || _latest?.Json == text)
            {
                return;
            }
            _latest = new Published(++_published, snapshot, text);
            changed = _changed;
            _changed = NewSignal();
        }
        changed.SetResult();
    }

    private sealed record Published(long Number, SystemSnapshot Snapshot, string Json);
}
