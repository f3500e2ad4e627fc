using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>What the dashboard gets to see of an order.</summary>
[Collection(nameof(StartedAppHost))]
public sealed class TelemetryTests(StartedAppHost host)
{
    [Fact]
    public async Task The_dashboard_has_one_trace_from_the_request_to_the_mail_and_a_log_of_the_order()
    {
        await host.PutAsync("telemetry-chair", 1);
        var order = await host.PlaceAsync("91", "telemetry-chair");
        await host.MailedAsync(order);

        await Eventually.HoldsAsync(
            async () =>
            {
                var spans = await host.SpansAsync();
                var traceId = Assert.Single(spans.Where(s => s.Text.Contains(order, StringComparison.Ordinal)).Select(s => s.Trace)
                    .Distinct(),
                    id => spans.Any(s => s.Trace == id && s.Name == "POST /orders"));
                var trace = spans.Where(s => s.Trace == traceId).ToArray();
                Assert.Equal(["inventory-api", "notifications-worker", "orders-api"], trace.Select(s => s.Service).Distinct().Order());
                Assert.Contains(trace, s => s.Name.StartsWith("process email_stream", StringComparison.Ordinal));
            },
            "the dashboard has the whole trace", StartedAppHost.Bound);
        await Eventually.HoldsAsync(
            async () => Assert.Contains(order, (await host.Dashboard.GetStringAsync("/api/telemetry/logs?limit=10000")),
            StringComparison.Ordinal),
            "the dashboard has a log of the order", StartedAppHost.Bound);
    }

    [Fact]
    public async Task Lock_and_stream_metrics_are_exported()
    {
        await host.PutAsync("metrics-chair", 1);
        await host.MailedAsync(await host.PlaceAsync("92", "metrics-chair"));
        await Eventually.HoldsAsync(
            () =>
            {
                Assert.Superset(
                    new HashSet<string> { "redis.lock.acquisitions", "redis.lock.wait.duration", "redis.lock.hold.duration",
                    "redis.stream.lag", "redis.stream.pending" },
                    host.MetricsSeen.ToHashSet());
                return Task.CompletedTask;
            },
            "the metrics arrive", StartedAppHost.Bound);
    }
}
