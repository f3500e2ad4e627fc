using System.Reflection;
using AspireRedis.AppHost;

const string NoDashboard = "--no-dashboard";
var withDashboard = !args.Contains(NoDashboard);
var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
{
    // Not passed on: it would take the argument behind it for its value.
    Args = [.. args.Where(a => a != NoDashboard)],
    DisableDashboard = !withDashboard,
});

ShopTopology topology;
IResourceBuilder<IResourceWithConnectionString> redis;
try
{
    topology = builder.Configuration.ReadTopology();
    redis = builder.AddShopRedis(topology);
}
catch (InvalidOperationException e) when (Assembly.GetEntryAssembly() == typeof(ShopTopology).Assembly)
{
    // One line for whoever starts it and can mend it; a test gets the exception.
    Console.Error.WriteLine($"AppHost: error: {e.Message}");
    return 1;
}

var inventory = builder.AddProject<Projects.Inventory_Api>("inventory-api").WithDurabilityOf(topology, "Reservations").WithSeedCommand();
var orders = builder.AddProject<Projects.Orders_Api>("orders-api").WithDurabilityOf(topology, "Orders").WithFlashSaleCommand(inventory);
var notifications = builder.AddProject<Projects.Notifications_Worker>("notifications-worker").WithDurabilityOf(topology, "Mail");

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
return 0;
