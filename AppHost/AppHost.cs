using AspireRedis.AppHost;
using AspireRedis.Hosting;
using Microsoft.Extensions.Configuration;

var withDashboard = !args.Contains("--no-dashboard");
var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = args, DisableDashboard = !withDashboard });

// What is published refers to a deployment that somebody operates: a connection string.
var redis = builder.ExecutionContext.IsPublishMode ? builder.AddConnectionString("redis") : AddSentinel();

var inventory = builder.AddProject<Projects.Inventory_Api>("inventory-api").WithSeedCommand();
var orders = builder.AddProject<Projects.Orders_Api>("orders-api").WithFlashSaleCommand(inventory);
var notifications = builder.AddProject<Projects.Notifications_Worker>("notifications-worker");

orders.WithReference(inventory).WaitFor(inventory);
// The inventory asks whether an order was placed before it gives reserved items back.
inventory.WithReference(orders);

foreach (var service in new[] { inventory, orders, notifications })
{
    service.WithReference(redis).WaitFor(redis).WithHttpHealthCheck("/health");
    if (!withDashboard)
    {
        // Nobody listens, and an exporter that retries would hold up the shutdown.
        service.WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", "");
    }
}

builder.WriteEndpointsFile(redis, inventory, orders, notifications, withDashboard);
builder.Build().Run();

// Containers where a container engine runs, else processes of the installed redis-server; Redis:Mode (auto, container,
// executable) overrides. With Redis:KeepData data outlives the AppHost.
IResourceBuilder<IResourceWithConnectionString> AddSentinel()
{
    var sentinel = builder.AddRedisSentinel("redis").WithReplicas(2).WithSentinels(3);
    return builder.Configuration.GetValue<bool>("Redis:KeepData") ? sentinel.WithDataVolume() : sentinel;
}
