using System.Globalization;
using AspireRedis.Topology;

namespace AspireRedis.Testing;

/// <summary>
/// The shop's services as plain processes: which there are and what each is told. The AppHost says the same in Aspire's
/// terms.
/// </summary>
public static class ShopServices
{
    public const string InventoryApi = "Inventory.Api";
    public const string OrdersApi = "Orders.Api";
    public const string NotificationsWorker = "Notifications.Worker";

    /// <summary>What all services are told.</summary>
    /// <param name="redis">The connection string.</param>
    /// <param name="orders">Where the instances of Orders.Api are.</param>
    /// <param name="inventory">Where the instances of Inventory.Api are.</param>
    /// <param name="mailDirectory">Where mails go.</param>
    /// <param name="otlp">Who takes telemetry; null for nobody.</param>
    public static Dictionary<string, string?> Environment(
        string redis, IEnumerable<string> orders, IEnumerable<string> inventory, string mailDirectory, string? otlp = null)
    {
        var environment = new Dictionary<string, string?>
        {
            ["DOTNET_ENVIRONMENT"] = "Development",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["ConnectionStrings__redis"] = redis,
            ["Mail__PickupFolder"] = mailDirectory,
            // Where nobody listens, an exporter that retries would hold up the shutdown.
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = otlp is null ? null : "grpc",
        };
        AddInstances("orders-api", orders);
        AddInstances("inventory-api", inventory);
        return environment;

        void AddInstances(string service, IEnumerable<string> urls)
        {
            foreach (var (index, url) in urls.Index())
            {
                environment[$"services__{service}__http__{index}"] = url;
            }
        }
    }

    /// <summary>Has them run as deployed: warnings only, and no development page.</summary>
    /// <param name="environment">What <see cref="Environment"/> gave.</param>
    public static void RunAsDeployed(IDictionary<string, string?> environment)
    {
        environment["DOTNET_ENVIRONMENT"] = environment["ASPNETCORE_ENVIRONMENT"] = "Production";
        environment["Logging__LogLevel__Default"] = "Warning";
    }

    /// <summary>An address on which nothing listens yet.</summary>
    public static string NewUrl() => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{PortAllocator.Next()}");

    /// <summary>What one instance is told.</summary>
    /// <param name="common">What <see cref="Environment"/> gave.</param>
    /// <param name="project">One of the names above.</param>
    /// <param name="url">Where it listens.</param>
    public static Dictionary<string, string?> OfInstance(IReadOnlyDictionary<string, string?> common, string project, string url)
        => new(common)
        {
            ["ASPNETCORE_URLS"] = url,
            ["OTEL_SERVICE_NAME"] = project.ToLowerInvariant().Replace('.', '-'),
        };
}
