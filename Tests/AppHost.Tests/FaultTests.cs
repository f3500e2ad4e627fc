using System.Diagnostics;
using System.Net;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>Faults that somebody makes by the commands on the dashboard.</summary>
[Collection(nameof(StartedAppHost))]
public sealed class FaultTests(StartedAppHost host)
{
    [Fact]
    public async Task When_the_primary_crashes_a_replica_takes_over_nothing_is_lost_and_the_dashboard_follows()
    {
        await host.PutAsync("failover-chair", 10);
        var first = StartedAppHost.Property(await host.ShownAsync("redis", s => HasPrimary(s) && s.HealthStatus == HealthStatus.Healthy),
            "redis.primary")!;
        var before = await host.PlaceAsync("88", "failover-chair");

        var clock = Stopwatch.StartNew();
        Assert.Equal($"{first} was killed; it was the primary.", await host.CommandAsync("redis", "crash-primary"));
        var outage = await host.ShownAsync("redis", s => s.HealthStatus != HealthStatus.Healthy);
        // The health alone, which is asked for each 30 s, says so after 22 s.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"It was shown as healthy for {clock.Elapsed}.");
        Assert.Equal(("No primary", KnownResourceStateStyles.Error), (outage.State?.Text, outage.State?.Style));
        Assert.Empty(outage.Urls);
        var dead = await host.ShownAsync(first, s => s.State?.Text != KnownResourceStates.Running && s.ResourceType == "Redis server");
        Assert.Equal("none", StartedAppHost.Property(dead, "redis.role"));
        Assert.DoesNotContain(dead.Urls, u => !u.IsInactive);
        var deployment = await host.ShownAsync("redis", s => HasPrimary(s) && StartedAppHost.Property(s, "redis.primary") != first);
        var second = StartedAppHost.Property(deployment, "redis.primary")!;
        // Where the dashboard shows it unasked.
        Assert.StartsWith($"{second} is the primary (", Assert.Single(deployment.Urls).DisplayProperties.DisplayName,
            StringComparison.Ordinal);
        await host.ShownAsync(second, s => s.ResourceType == "Redis primary"
            && Assert.Single(s.Urls).DisplayProperties.DisplayName.StartsWith("primary (", StringComparison.Ordinal));
        var after = await host.PlaceAsync("89", "failover-chair");

        foreach (var order in new[] { before, after })
        {
            await host.ConfirmedAsync(order);
            await host.MailedAsync(order);
        }
        Assert.Equal(8, await host.StockAsync("failover-chair"));

        var primaries = host.PrimariesUntilInSyncAsync(first);
        await host.CommandAsync(first, "start");
        Assert.Equal(0, await primaries);
        var back = await host.ShownAsync(first, s => s.ResourceType == "Redis replica" && StartedAppHost.Property(s, "redis.link") == "up");
        Assert.Equal(second, StartedAppHost.Property(back, "redis.primary"));
        await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.replicas_in_sync") == "2 of 2");
    }

    [Fact]
    public async Task A_planned_switchover_fails_no_request_and_the_dashboard_has_its_span()
    {
        await host.PutAsync("switchover-chair", 1000);
        var first = StartedAppHost.Property(await host.ShownAsync("redis", HasPrimaryAndReplicas), "redis.primary")!;
        using var done = new CancellationTokenSource();
        var buying = Task.Run(async () =>
        {
            var placed = 0;
            while (!done.IsCancellationRequested)
            {
                using var answer = await host.Orders.PostAsync("/orders", StartedAppHost.Order("93", "switchover-chair"),
                    CancellationToken.None);
                Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
                placed++;
            }
            return placed;
        });

        await host.CommandAsync("redis", "switchover");
        var second = StartedAppHost.Property(await host.ShownAsync("redis", HasPrimary), "redis.primary");
        await done.CancelAsync();

        Assert.NotEqual(first, second);
        Assert.Equal(1000 - await buying, await host.StockAsync("switchover-chair"));
        await host.ShownAsync(first, s => s.ResourceType == "Redis replica");
        await Eventually.HoldsAsync(
            async () =>
            {
                var span = (await host.SpansAsync()).First(s => s.Name == "redis failover"
                    && StartedAppHost.Tag(s.Text, "redis.failover.planned") is "true");
                Assert.Contains("first-success", span.Text, StringComparison.Ordinal);
                Assert.Contains("redis.failovers", host.MetricsSeen);
            },
            "the dashboard has the span of the switchover", StartedAppHost.Bound);
    }

    [Fact]
    public async Task A_replica_that_is_cut_off_stays_a_replica_and_catches_up_when_it_is_reconnected()
    {
        var primary = StartedAppHost.Property(await host.ShownAsync("redis",
            s => StartedAppHost.Property(s, "redis.replicas_in_sync") == "2 of 2"), "redis.primary")!;
        var replica = new[] { "redis-redis-1", "redis-redis-2", "redis-redis-3" }.First(n => n != primary);
        await host.ShownAsync(replica, s => Enabled(s, "cut-off") && !Enabled(s, "reconnect"));
        await host.ShownAsync(primary, s => !Enabled(s, "cut-off"));

        await host.CommandAsync(replica, "cut-off");
        var cut = await host.ShownAsync(replica, s => StartedAppHost.Property(s, "redis.link") == "down");
        Assert.Equal("Redis replica", cut.ResourceType);
        await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.replicas_in_sync") == "1 of 2");
        await host.ShownAsync(replica, s => Enabled(s, "reconnect") && !Enabled(s, "cut-off"));

        await host.CommandAsync(replica, "reconnect");
        await host.ShownAsync(replica, s => StartedAppHost.Property(s, "redis.link") == "up");
        await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.replicas_in_sync") == "2 of 2");
    }

    [Fact]
    public async Task A_frozen_Sentinel_is_shown_and_goes_on_when_it_is_thawed()
    {
        await host.CommandAsync("redis-sentinel-3", "freeze");
        await host.ShownAsync("redis-sentinel-3", s => StartedAppHost.Property(s, "redis.frozen") == "True" && Enabled(s, "unfreeze")
            && !Enabled(s, "freeze"));
        await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.sentinels_usable") == "2 of 3, quorum 2");
        await host.CommandAsync("redis-sentinel-3", "unfreeze");
        await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.sentinels_usable") == "3 of 3, quorum 2");
    }

    [Fact]
    public async Task A_worker_that_is_stopped_delivers_when_it_is_started_again()
    {
        await host.PutAsync("worker-chair", 1);
        await host.CommandAsync("notifications-worker", "stop");
        await host.ShownAsync("notifications-worker", s => KnownResourceStates.TerminalStates.Contains(s.State?.Text));
        var order = await host.PlaceAsync("90", "worker-chair");
        await host.ConfirmedAsync(order);
        Assert.False(host.IsMailed(order));

        await host.CommandAsync("notifications-worker", "start");
        await host.MailedAsync(order);
    }

    private static bool HasPrimary(CustomResourceSnapshot snapshot)
        => StartedAppHost.Property(snapshot, "redis.primary")?.StartsWith("redis-redis-", StringComparison.Ordinal) == true;

    private static bool HasPrimaryAndReplicas(CustomResourceSnapshot snapshot)
        => HasPrimary(snapshot) && StartedAppHost.Property(snapshot, "redis.replicas_in_sync") == "2 of 2";

    private static bool Enabled(CustomResourceSnapshot snapshot, string command)
        => snapshot.Commands.Any(c => c.Name == command && c.State == ResourceCommandState.Enabled);
}
