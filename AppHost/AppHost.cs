using System.Reflection;
using AspireRedis.AppHost;
using AspireRedis.Contracts;
using AspireRedis.Hosting;

const string NoDashboard = "--no-dashboard";
var withDashboard = !args.Contains(NoDashboard);
var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
{
    // Not passed on: it would take the argument behind it for its value.
    Args = [.. args.Where(a => a != NoDashboard)],
    DisableDashboard = !withDashboard,
});

ShopTopology topology;
ShopPartitions partitions;
IResourceBuilder<IResourceWithConnectionString> redis;
IResourceBuilder<RedisRegionsResource>? regions;
try
{
    topology = builder.Configuration.ReadTopology();
    partitions = builder.Configuration.ReadPartitions(topology);
    redis = builder.AddShopRedis(topology);
    regions = builder.AddShopRegions(redis);
}
catch (InvalidOperationException e) when (Assembly.GetEntryAssembly() == typeof(ShopTopology).Assembly)
{
    // One line for whoever starts it and can mend it; a test gets the exception.
    Console.Error.WriteLine($"AppHost: error: {e.Message}");
    return 1;
}

var shop = Shop.Add(builder, topology, partitions);
Shop? standby = null;
var projects = shop.Services;
if (regions is null)
{
    shop.Use(redis);
}
else
{
    shop.Use(regions, standby: false);
    standby = Shop.Add(builder, topology, partitions, ShopRegionsExtensions.StandbyRegion);
    standby.Use(regions, standby: true);
    projects = [.. projects, .. standby.Services, .. builder.AddRegionAgents(regions)];
}
if (!withDashboard)
{
    foreach (var project in projects)
    {
        // Nobody listens, and an exporter that retries would hold up the shutdown.
        project.WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", "");
    }
}

builder.WriteEndpointsFile(redis, shop, regions, standby, withDashboard);
builder.Build().Run();
return 0;
