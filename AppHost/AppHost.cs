using AspireRedis.AppHost;
using AspireRedis.Hosting;

var withDashboard = !args.Contains("--no-dashboard");
var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = args, DisableDashboard = !withDashboard });

// With a container engine, one Redis server in a container; without one, a primary, two replicas and three Sentinels as
// processes of the installed redis-server. Redis:Mode (auto, container, executable) overrides.
var inContainer = builder.RunsRedisInContainers();
IResourceBuilder<IResourceWithConnectionString> redis = inContainer
    ? builder.AddRedis("redis").WithDataVolume().WithPersistence()
    : builder.AddRedisSentinel("redis");

// A single server has no replica that could acknowledge an order.
var durability = inContainer ? "Memory" : "Replica";

var inventory = builder.AddProject<Projects.Inventory_Api>("inventory-api").WithEnvironment("Reservations__Durability", durability);
var orders = builder.AddProject<Projects.Orders_Api>("orders-api").WithEnvironment("Orders__Durability", durability);
var notifications = builder.AddProject<Projects.Notifications_Worker>("notifications-worker").WithEnvironment("Mail__Durability", durability);

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
