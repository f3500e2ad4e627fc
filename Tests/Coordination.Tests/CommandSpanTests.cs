using System.Diagnostics;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

public sealed class CommandSpanTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    [Theory]
    [InlineData(Durability.Memory)]
    [InlineData(Durability.Replica)]
    public async Task The_span_of_a_script_has_its_name_and_the_node_that_ran_it(Durability durability)
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(10) });
        using var request = new Activity("request").Start();

        await writer.EvaluateAsync(s_count, ["spans:counted"], [], durability, default);

        var span = Assert.Single(telemetry.SpansOf(request));
        Assert.Equal(("count", ActivityKind.Client, request.SpanId), (span.DisplayName, span.Kind, span.ParentSpanId));
        Assert.Equal("count", span.GetTagItem("db.stored_procedure.name"));
        Assert.Equal("EVALSHA", span.GetTagItem("db.operation.name"));
        await AssertFromPrimaryAsync(span);
    }

    [Fact]
    public async Task The_span_of_a_command_has_its_name_and_the_node_that_ran_it()
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using var request = new Activity("request").Start();

        await client.Deployment.RunAsync("spans:read", database => database.StringGetAsync("spans:read"), repeatable: true);

        var span = Assert.Single(telemetry.SpansOf(request));
        Assert.Equal(("GET", "GET"), (span.DisplayName, span.GetTagItem("db.operation.name")));
        await AssertFromPrimaryAsync(span);
    }

    [Fact]
    public async Task A_script_that_fails_has_a_failed_span()
    {
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("spans:text", "text");
        using var request = new Activity("request").Start();

        await Assert.ThrowsAsync<RedisServerException>(() => client.Deployment.EvaluateAsync(s_count, ["spans:text"], []));

        Assert.Equal(ActivityStatusCode.Error, Assert.Single(telemetry.SpansOf(request)).Status);
    }

    [Fact]
    public async Task Each_call_that_went_to_the_server_with_others_has_a_span_of_its_own()
    {
        const int Leases = 50;
        using var telemetry = new Telemetry();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using var request = new Activity("request").Start();

        var leases = await Task.WhenAll(Enumerable.Range(0, Leases).Select(n => client.Leases.TryAcquireAsync($"spans:{n}")));
        await Task.WhenAll(leases.Select(lease => lease!.DisposeAsync().AsTask()));

        var scripts = telemetry.SpansOf(request).FindAll(s => s.GetTagItem("db.stored_procedure.name") is not null);
        Assert.Equal(2 * Leases, scripts.Count);
        Assert.Equal(2, scripts.Select(s => s.DisplayName).Distinct().Count());
        foreach (var span in scripts)
        {
            await AssertFromPrimaryAsync(span);
        }
    }

    private async Task AssertFromPrimaryAsync(Activity span)
    {
        var primary = (await redis.Redis.CurrentPrimaryAsync()).Address;
        Assert.Equal("redis", span.GetTagItem("db.system.name"));
        Assert.Equal(primary.ToString(), $"{span.GetTagItem("server.address")}:{span.GetTagItem("server.port")}");
    }
}
