using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Client.Tests;

public sealed class ClusterTests(ClusterFixture redis) : IClassFixture<ClusterFixture>
{
    [Fact]
    public async Task A_service_on_a_cluster_is_healthy_and_degraded_without_a_replica_and_without_a_shard()
    {
        await using var app = await StartAsync();
        await using (await app.Services.GetRequiredService<ILeaseProvider>().AcquireAsync("client"))
        {
            await StatusAsync(app, HealthStatus.Healthy, "All 3 shards");
        }
        var primary = redis.Cluster.Topology.Primaries[0];

        redis.Cluster[redis.Cluster.Topology.ReplicasOf(primary)[0]].Kill();
        await StatusAsync(app, HealthStatus.Degraded, "no replica");
        redis.Cluster[primary].Kill();
        await StatusAsync(app, HealthStatus.Degraded, "no answer");
        Assert.Equal(3, (await app.Services.GetRequiredService<DeploymentInspector>().DescribeShardsAsync()).Count);
    }

    [Fact]
    public void A_process_in_a_region_is_refused_with_the_reason()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        builder.Configuration["Regions:Name"] = "north";
        Assert.Contains("Regions are not supported", Assert.Throws<NotSupportedException>(() => builder.AddRedisCoordination()).Message,
            StringComparison.Ordinal);
    }

    private async Task<WebApplication> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        builder.Configuration["urls"] = "http://127.0.0.1:0";
        builder.AddRedisCoordination();
        var app = builder.Build();
        await app.StartAsync();
        return app;
    }

    private static Task StatusAsync(WebApplication app, HealthStatus status, string description)
        => Eventually.HoldsAsync(async () =>
        {
            var entry = (await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["redis"];
            Assert.Equal(status, entry.Status);
            Assert.Contains(description, entry.Description, StringComparison.Ordinal);
        }, $"the service is {status}");
}
