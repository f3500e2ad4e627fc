using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamTracingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Producer_and_consumer_share_a_trace()
    {
        var ended = new ConcurrentQueue<Activity>();
        using var listener = Listen(ended);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using var request = new ActivitySource("test").StartActivity("request")!;
        var entryId = await client.Producer.AppendAsync(Numbered.Topic("traced"), new Numbered(1), "event-1");
        Activity.Current = null;
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("traced"), new() { Group = "g", Consumer = "c" });

        await Eventually.TrueAsync(() => ended.Any(a => a.OperationName == "process traced"), "the event is handled");

        var send = ended.Single(a => a.OperationName == "send traced");
        var process = ended.Single(a => a.OperationName == "process traced");
        Assert.Equal((request.TraceId, request.SpanId), (send.TraceId, send.ParentSpanId));
        Assert.Equal((send.TraceId, send.SpanId), (process.TraceId, process.ParentSpanId));
        Assert.True(process.HasRemoteParent);
        Assert.Equal((ActivityKind.Producer, ActivityKind.Consumer), (send.Kind, process.Kind));
        foreach (var span in new[] { send, process })
        {
            Assert.Equal("redis", span.GetTagItem("messaging.system"));
            Assert.Equal("traced", span.GetTagItem("messaging.destination.name"));
            Assert.Equal("event-1", span.GetTagItem("messaging.message.id"));
            Assert.Equal(entryId, span.GetTagItem("redis.stream.entry_id"));
        }
        Assert.Equal("g", process.GetTagItem("messaging.consumer.group.name"));
        Assert.Equal("handled", process.GetTagItem("redis.stream.outcome"));
        Assert.Equal(ActivityStatusCode.Unset, process.Status);
    }

    [Fact]
    public async Task A_failed_handling_is_a_failed_span_of_the_same_trace()
    {
        var ended = new ConcurrentQueue<Activity>();
        using var listener = Listen(ended);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("traced-failure", 1, 1);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("traced-failure"), new() { Group = "g" },
            (_, _) => throw new InvalidOperationException("no"));

        await Eventually.TrueAsync(() => ended.Any(a => a.OperationName == "process traced-failure"), "the handler has failed");

        var process = ended.First(a => a.OperationName == "process traced-failure");
        Assert.Equal(ActivityStatusCode.Error, process.Status);
        Assert.Equal("failed", process.GetTagItem("redis.stream.outcome"));
        Assert.Contains(process.Events, e => e.Name == "exception");
        Assert.Equal(ended.Single(a => a.OperationName == "send traced-failure").TraceId, process.TraceId);
    }

    [Fact]
    public async Task Without_a_span_of_its_own_the_producer_passes_on_the_caller_s_context()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using var request = new Activity("request");
        request.SetIdFormat(ActivityIdFormat.W3C).Start();
        request.TraceStateString = "vendor=value";

        // StartActivity of PrepareAppend may be listened to by the tests beside this one: the trace is the same in any case.
        using var append = client.Producer.PrepareAppend(Numbered.Topic("passed-on"), new Numbered(1));

        var fields = append.Fields.Select(f => (string)f!).ToList();
        Assert.Contains(request.TraceId.ToHexString(), fields[fields.IndexOf("traceparent") + 1], StringComparison.Ordinal);
        Assert.Equal("vendor=value", fields[fields.IndexOf("tracestate") + 1]);
    }

    private static ActivityListener Listen(ConcurrentQueue<Activity> ended)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is CoordinationDiagnostics.Name or "test",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
