using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Coordination.Tests.Failover;

[Collection(AloneCollection.Name)]
public sealed class FailoverObserverTests
{
    private static readonly EndPoint s_sentinel = IPEndPoint.Parse("192.0.2.1:26379");
    private static readonly EndPoint s_one = IPEndPoint.Parse("192.0.2.11:6379");
    private static readonly EndPoint s_other = IPEndPoint.Parse("192.0.2.12:6379");

    [Fact]
    public async Task The_last_words_on_a_failover_are_no_part_of_the_next_one()
    {
        using var telemetry = new Telemetry();
        var observer = new FailoverObserver(NullLogger.Instance);
        await FailOverAsync(s_one, s_other);

        observer.Heard(s_sentinel, "+failover-end");
        observer.Heard(s_sentinel, "+switch-master");
        await FailOverAsync(s_other, s_one);

        async Task FailOverAsync(EndPoint from, EndPoint to)
        {
            observer.Heard(s_sentinel, "+try-failover");
            observer.Followed(from, to, planned: true);
            observer.Succeeded(Stopwatch.GetTimestamp());
            observer.Heard(s_sentinel, "+switch-master");
            Activity? span = null;
            await Eventually.TrueAsync(
                () => (span = telemetry.Spans.SingleOrDefault(s => s.OperationName == "redis failover"
                && Equals(s.GetTagItem("redis.failover.to"), to.ToString()))) is not null,
                "it is a span", TimeSpan.FromSeconds(30));
            Assert.Equal(["try-failover", "followed", "first-success", "switch-master"], span!.Events.Select(e => e.Name));
        }
    }

    [Fact]
    public async Task The_last_failover_is_reported_at_once_and_what_it_cost_when_it_is_over()
    {
        var observer = new FailoverObserver(NullLogger.Instance);
        Assert.Null(observer.Last);
        var held = Stopwatch.GetTimestamp() - (2 * Stopwatch.Frequency);
        observer.Failed(held);
        observer.Heard(s_sentinel, "+try-failover");
        observer.Followed(s_one, s_other, planned: false);

        var begun = observer.Last!;
        Assert.Equal(("192.0.2.11:6379", "192.0.2.12:6379", false, false, null),
            (begun.From, begun.To, begun.IsPlanned, begun.IsOver, begun.Blackout));
        Assert.InRange(begun.At, DateTimeOffset.UtcNow - TimeSpan.FromSeconds(30), DateTimeOffset.UtcNow);

        observer.Succeeded(held);
        observer.Heard(s_sentinel, "+switch-master");
        await Eventually.TrueAsync(() => observer.Last!.IsOver, "it is over", TimeSpan.FromSeconds(30));
        Assert.InRange(observer.Last!.Blackout!.Value, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(20));
        Assert.Equal(begun.At, observer.Last.At);
    }
}
