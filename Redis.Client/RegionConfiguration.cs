using AspireRedis.Coordination;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Client;

/// <summary>Reads <see cref="RegionOptions"/> from the configuration.</summary>
public static class RegionConfiguration
{
    /// <summary>The section that an AppHost with regions fills: <c>Regions</c>.</summary>
    public const string Section = "Regions";

    /// <summary>Whether this process is in a region: <c>Regions:Name</c> is set.</summary>
    /// <param name="configuration">The configuration of the host.</param>
    public static bool HasRegion(this IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return !string.IsNullOrWhiteSpace(configuration[$"{Section}:Name"]);
    }

    /// <summary>
    /// Sets the options from <see cref="Section"/>. Names are those of the properties, and of those of
    /// <see cref="RegionDefinition"/> below <c>Regions:Regions:0</c> and <c>1</c>; only <see cref="RegionDefinition.Links"/>, whose keys a
    /// section cannot have, is one text there: <c>Link=10.0.0.1:6379=link.example:7001,...</c>.
    /// </summary>
    /// <param name="options">What is set.</param>
    /// <param name="configuration">The configuration of the host.</param>
    /// <exception cref="FormatException">A link cannot be read; the message has it.</exception>
    public static void Bind(this RegionOptions options, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(configuration);
        var section = configuration.GetSection(Section);
        section.Bind(options);
        foreach (var (definition, read) in options.Regions.Zip(section.GetSection(nameof(RegionOptions.Regions)).GetChildren()))
        {
            foreach (var entry in (read["Link"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                definition.Links[entry.Split('=')[0]] = entry.Split('=') is [_, { Length: > 0 } link] ? link
                    : throw new FormatException($"The link '{entry}' of region '{definition.Name}' is not NODE=LINK.");
            }
        }
    }

    /// <summary>
    /// Runs the agent of the region that the section <see cref="Section"/> names, with both regions and the witnesses, for as long as the
    /// host runs; adds its health check <c>region-agent</c>, and gives OpenTelemetry the spans and metrics of the library.
    /// </summary>
    /// <typeparam name="TBuilder">The type of the builder.</typeparam>
    /// <param name="builder">The host under construction.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException"><c>Regions:Name</c> is not set.</exception>
    public static TBuilder AddRedisRegionAgent<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (!builder.Configuration.HasRegion())
        {
            throw new InvalidOperationException($"No region is configured: set {Section}:Name, both regions and the witnesses.");
        }
        builder.Services.AddRedisRegion((options, _) => options.Bind(builder.Configuration)).AddRedisRegionAgent();
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None);
        builder.AddSources();
        builder.Services.AddHealthChecks().AddCheck<RegionAgentHealthCheck>("region-agent", HealthStatus.Degraded, ["ready"]);
        return builder;
    }
}
