using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Hosting;

namespace AspireRedis.AppHost;

/// <summary>The services of the shop in one region, or of all of it without regions.</summary>
internal sealed record Shop(
    IResourceBuilder<ProjectResource> Inventory, IResourceBuilder<ProjectResource> Orders, IResourceBuilder<ProjectResource> Notifications)
{
    public IEnumerable<IResourceBuilder<ProjectResource>> Services => [Inventory, Orders, Notifications];

    /// <summary>Adds them.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="topology">What Redis they run on.</param>
    /// <param name="partitions">How they divide their keys: all the same.</param>
    /// <param name="suffix">Of their names; empty for those that are alone, or active at first.</param>
    public static Shop Add(
        IDistributedApplicationBuilder builder, ShopTopology topology, ShopPartitions partitions, string suffix = "")
    {
        var inventory = AddService<Projects.Inventory_Api>(builder, "inventory-api", suffix).WithDurabilityOf(topology, "Reservations")
            .WithSeedCommand();
        var orders = AddService<Projects.Orders_Api>(builder, "orders-api", suffix).WithDurabilityOf(topology, "Orders")
            .WithFlashSaleCommand(inventory);
        var notifications = AddService<Projects.Notifications_Worker>(builder, "notifications-worker", suffix)
            .WithDurabilityOf(topology, "Mail");
        var shop = new Shop(inventory, orders, notifications);
        foreach (var service in shop.Services)
        {
            service.WithHttpHealthCheck("/health").WithEnvironment(
                ShopPartitions.Setting.Replace(":", "__", StringComparison.Ordinal),
                partitions.Count.ToString(CultureInfo.InvariantCulture));
        }
        orders.WithUrlForEndpoint("http", url => url.DisplayText = "Page");
        foreach (var api in new[] { inventory, orders })
        {
            api.WithUrlForEndpoint("http", (EndpointReference _) => new ResourceUrlAnnotation { Url = "/scalar", DisplayText = "API reference" });
        }
        orders.WithService(inventory, "inventory-api").WaitFor(inventory).WithEnvironment("RateLimits__Enabled", "true");
        // The inventory asks whether an order was placed before it gives reserved items back.
        inventory.WithService(orders, "orders-api");
        return shop;
    }

    /// <summary>Gives all of them the Redis that they have to themselves.</summary>
    public void Use(IResourceBuilder<IResourceWithConnectionString> redis)
    {
        foreach (var service in Services)
        {
            service.WithReference(redis).WaitFor(redis);
        }
    }

    /// <summary>Puts all of them into a region.</summary>
    public void Use(IResourceBuilder<RedisRegionsResource> regions, bool standby)
    {
        foreach (var service in Services)
        {
            service.WithRegion(regions, standby);
        }
    }

    private static IResourceBuilder<ProjectResource> AddService<T>(IDistributedApplicationBuilder builder, string name, string suffix)
        where T : IProjectMetadata, new()
        => suffix.Length == 0 ? builder.AddProject<T>(name)
            // Not by its launch profile, whose port the first one has.
            : builder.AddProject<T>($"{name}-{suffix}", launchProfileName: null).WithHttpEndpoint()
                .WithEnvironment("ASPNETCORE_ENVIRONMENT", builder.Environment.EnvironmentName);
}
