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
        this IDistributedApplicationBuilder builder, IResourceBuilder<IResourceWithConnectionString> redis,
        IResourceBuilder<ProjectResource> inventory, IResourceBuilder<ProjectResource> orders,
            IResourceBuilder<ProjectResource> notifications,
        bool withDashboard)
    {
        if (builder.Configuration["Run:Directory"] is not { Length: > 0 } directory)
        {
            return;
        }
        var path = Path.Combine(directory, "endpoints.env");
        var mail = Path.Combine(directory, "mail");
        Directory.CreateDirectory(mail);
        notifications.WithEnvironment("Mail__PickupFolder", mail);
        var deployment = redis.Resource as RedisSentinelResource;
        var sentinels = deployment?.Nodes.Where(n => n.FirstRole == RedisRole.Sentinel) ?? [];

        builder.Eventing.Subscribe<AfterResourcesCreatedEvent>((@event, cancellationToken) =>
        {
            var lifetime = @event.Services.GetRequiredService<IHostApplicationLifetime>();
            lifetime.ApplicationStopping.Register(() => File.Delete(path));
            // Not awaited here: the resources are only now beginning to start.
            _ = WriteWhenHealthyAsync(@event.Services, lifetime.ApplicationStopping);
            return Task.CompletedTask;
        });

        async Task WriteWhenHealthyAsync(IServiceProvider services, CancellationToken stopping)
        {
            try
            {
                var notificationsService = services.GetRequiredService<ResourceNotificationService>();
                foreach (var service in new[] { inventory, orders, notifications })
                {
                    await notificationsService.WaitForResourceHealthyAsync(service.Resource.Name, WaitBehavior.WaitOnResourceUnavailable,
                        stopping);
                }
                EndpointsFile.Write(path,
                [
                    ("ORDERS_URL", orders.GetEndpoint("http").Url),
                    ("INVENTORY_URL", inventory.GetEndpoint("http").Url),
                    ("DASHBOARD_URL", withDashboard ? DashboardUrl(services) : ""),
                    ("MAIL_DIR", mail),
                    ("SENTINELS", string.Join(',', sentinels.Select(n => $"127.0.0.1:{n.PrimaryEndpoint.Port}"))),
                    ("REDIS_SERVICE", deployment?.Options.ServiceName ?? ""),
                    ("LOCK_NODES", ""),
                ]);
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

    // Not the setting: with random ports the dashboard has another.
    private static string DashboardUrl(IServiceProvider services)
        => services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<IResourceWithEndpoints>()
            .First(r => r.Name == "aspire-dashboard").GetEndpoints().First(e => e.EndpointName is "http" or "https").Url;
}
