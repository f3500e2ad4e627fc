using System.Text.Json;
using AspireRedis.Hosting;
using Microsoft.Extensions.Configuration;

namespace AspireRedis.AppHost;

/// <summary>Two regions on one machine: the setting <c>Redis:Regions</c>.</summary>
internal static class ShopRegionsExtensions
{
    public const string Key = "Redis:Regions";

    /// <summary>The name of the region that is the standby at first, and the suffix of its services.</summary>
    public const string StandbyRegion = "eu";

    private const string ActiveRegion = "us";
    private const string LatencyKey = "Redis:LinkLatency";

    public static bool HasRegions(this IConfiguration configuration) => configuration.GetValue<bool>(Key);

    /// <summary>Adds the standby and the witnesses where the setting says so; else null. Nothing of it is published.</summary>
    /// <exception cref="InvalidOperationException">Data is to be kept, or the latency of the link cannot be used.</exception>
    public static IResourceBuilder<RedisRegionsResource>? AddShopRegions(this IDistributedApplicationBuilder builder,
        IResourceBuilder<IResourceWithConnectionString> redis)
    {
        if (!builder.Configuration.HasRegions() || redis is not IResourceBuilder<RedisSentinelResource> sentinel)
        {
            return null;
        }
        if (builder.Configuration.GetValue<bool>("Redis:KeepData"))
        {
            throw new InvalidOperationException($"{Key} and Redis:KeepData do not go together: the ports of the line are new each time.");
        }
        var latency = builder.Configuration.GetValue<TimeSpan>(LatencyKey);
        if (latency < TimeSpan.Zero || latency > TimeSpan.FromSeconds(10))
        {
            throw new InvalidOperationException($"{LatencyKey} is {latency}; it must be between 0 and 10 s.");
        }
        return sentinel.WithStandbyRegion(StandbyRegion, builder.AddRedlockNodes("witnesses", 3), ActiveRegion).WithLink(latency);
    }

    /// <summary>Gives a service where another one is, under the name that its code knows it by.</summary>
    public static IResourceBuilder<ProjectResource> WithService(this IResourceBuilder<ProjectResource> builder,
        IResourceBuilder<ProjectResource> service, string name)
        => service.Resource.Name == name ? builder.WithReference(service)
            : builder.WithEnvironment($"services__{name}__http__0", service.GetEndpoint("http"));

    /// <summary>
    /// What <c>eng/region</c> is told: both regions with the users that may do everything, in a file that only its owner reads.
    /// </summary>
    public static async Task WriteControlFileAsync(this IResourceBuilder<RedisRegionsResource> regions, string path,
        CancellationToken cancellationToken)
    {
        var temporary = path + ".new";
        var create = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            create.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        await using (var file = new FileStream(temporary, create))
        {
            var settings = await regions.ControlSettingsAsync(cancellationToken);
            await JsonSerializer.SerializeAsync(file, settings, cancellationToken: cancellationToken);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>One agent for each region. In earnest there are two: another takes over when one dies.</summary>
    public static IEnumerable<IResourceBuilder<ProjectResource>> AddRegionAgents(this IDistributedApplicationBuilder builder,
        IResourceBuilder<RedisRegionsResource> regions)
        => [.. new[] { (ActiveRegion, false), (StandbyRegion, true) }.Select(region => builder
            .AddProject<Projects.Regions_Agent>($"region-agent-{region.Item1}", launchProfileName: null).WithHttpEndpoint()
            .WithEnvironment("ASPNETCORE_ENVIRONMENT", builder.Environment.EnvironmentName)
            .WithRegionControl(regions, region.Item2).WithHttpHealthCheck("/health"))];
}
