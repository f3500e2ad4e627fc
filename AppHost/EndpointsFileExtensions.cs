using AspireRedis.Hosting;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.AppHost;

/// <summary>
/// For <c>./run</c>: with the setting <c>Run:Directory</c> mails go to its folder <c>mail</c>, and <c>endpoints.env</c>
/// stands in it from when all services are healthy until the application stops. Without the setting nothing happens.
/// </summary>
internal static class EndpointsFileExtensions
{
    public static void WriteEndpointsFile(
        this IDistributedApplicationBuilder builder, IResourceBuilder<IResourceWithConnectionString> redis, Shop shop,
        IResourceBuilder<RedisRegionsResource>? regions, Shop? standby, bool withDashboard)
    {
        if (builder.Configuration["Run:Directory"] is not { Length: > 0 } directory)
        {
            return;
        }
        var path = Path.Combine(directory, "endpoints.env");
        var mail = Path.Combine(directory, "mail");
        Directory.CreateDirectory(mail);
        foreach (var one in new[] { shop, standby }.OfType<Shop>())
        {
            one.Notifications.WithEnvironment("Mail__PickupFolder", mail);
        }
        var deployment = redis.Resource as RedisSentinelResource;
        var cluster = redis.Resource as RedisClusterResource;

        builder.Eventing.Subscribe<AfterResourcesCreatedEvent>((@event, cancellationToken) =>
        {
            var lifetime = @event.Services.GetRequiredService<IHostApplicationLifetime>();
            lifetime.ApplicationStopping.Register(() =>
            {
                File.Delete(path);
                File.Delete(Path.Combine(directory, "regions.json"));
            });
            // Not awaited here: the resources are only now beginning to start.
            _ = WriteWhenHealthyAsync(@event.Services, lifetime.ApplicationStopping);
            return Task.CompletedTask;
        });

        async Task WriteWhenHealthyAsync(IServiceProvider services, CancellationToken stopping)
        {
            try
            {
                var notificationsService = services.GetRequiredService<ResourceNotificationService>();
                foreach (var service in shop.Services.Concat(standby?.Services ?? []))
                {
                    await notificationsService.WaitForResourceHealthyAsync(service.Resource.Name, WaitBehavior.WaitOnResourceUnavailable,
                        stopping);
                }
                if (regions is not null)
                {
                    await notificationsService.WaitForResourceHealthyAsync(regions.Resource.Name, WaitBehavior.WaitOnResourceUnavailable,
                        stopping);
                    // Before the endpoints: who waits for those finds both.
                    await regions.WriteControlFileAsync(Path.Combine(directory, "regions.json"), stopping);
                }
                List<(string, string)> endpoints =
                [
                    ("PAGE_URL", $"{shop.Orders.GetEndpoint("http").Url}/"),
                    ("ORDERS_URL", shop.Orders.GetEndpoint("http").Url),
                    ("INVENTORY_URL", shop.Inventory.GetEndpoint("http").Url),
                    ("DASHBOARD_URL", withDashboard ? DashboardUrl(services) : ""),
                    ("MAIL_DIR", mail),
                    ("SENTINELS", AddressesOf(deployment, RedisRole.Sentinel)),
                    ("REDIS_SERVICE", deployment?.Options.ServiceName ?? ""),
                    ("CLUSTER_NODES", AddressesOf(cluster, RedisRole.Primary, RedisRole.Replica)),
                    ("LOCK_NODES", AddressesOf(regions?.Resource.Witnesses, RedisRole.LockNode)),
                ];
                if (regions is not null && standby is not null)
                {
                    endpoints.AddRange(
                    [
                        ("PAGE_URL_STANDBY", $"{standby.Orders.GetEndpoint("http").Url}/"),
                        ("ORDERS_URL_STANDBY", standby.Orders.GetEndpoint("http").Url),
                        ("INVENTORY_URL_STANDBY", standby.Inventory.GetEndpoint("http").Url),
                        ("SENTINELS_STANDBY", AddressesOf(regions.Resource.Standby, RedisRole.Sentinel)),
                        ("REDIS_SERVICE_STANDBY", regions.Resource.Standby.Options.ServiceName),
                    ]);
                }
                EndpointsFile.Write(path, endpoints);
            }
            catch (OperationCanceledException)
            {
                // Stopped before all was healthy.
            }
            catch (Exception e)
            {
                services.GetRequiredService<ILoggerFactory>().CreateLogger("EndpointsFile")
                    .LogError(e, "{Path} could not be written.", path);
            }
        }
    }

    private static string AddressesOf(RedisDeploymentResource? deployment, params RedisRole[] roles)
        => string.Join(',', deployment?.Nodes.Where(n => roles.Contains(n.FirstRole)).Select(n => $"127.0.0.1:{n.PrimaryEndpoint.Port}") ?? []);

    // Not the setting: with random ports the dashboard has another.
    private static string DashboardUrl(IServiceProvider services)
        => services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<IResourceWithEndpoints>()
            .First(r => r.Name == "aspire-dashboard").GetEndpoints().First(e => e.EndpointName is "http" or "https").Url;
}
