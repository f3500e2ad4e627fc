using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination;

/// <summary>Adds regions to a service collection.</summary>
public static class RegionServiceCollectionExtensions
{
    /// <summary>
    /// Says which region this process is in: adds a <see cref="RegionMonitor"/>, with which every script of the
    /// <see cref="RedisDeployment"/> is checked on the server and refused, by <see cref="RegionNotActiveException"/>, where the region
    /// may not write, and consumer groups read nothing in a standby.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="configure">
    /// Sets <see cref="RegionOptions.Name"/> and at least that region; for an agent or an operator both, and the witnesses.
    /// </param>
    public static IServiceCollection AddRedisRegion(this IServiceCollection services, Action<RegionOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider =>
        {
            var options = new RegionOptions();
            configure(options, provider);
            return options;
        });
        services.TryAddSingleton(provider => new RegionMonitor(provider.GetRequiredService<RegionOptions>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<RegionMonitor>>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RegionMonitor>(
            provider => provider.GetRequiredService<RegionMonitor>()));
        return services;
    }

    /// <summary>
    /// Runs a <see cref="RegionAgent"/> for the region of <see cref="AddRedisRegion"/>, for as long as the host runs, and adds a
    /// <see cref="RegionOperator"/>.
    /// </summary>
    /// <param name="services">The service collection.</param>
    public static IServiceCollection AddRedisRegionAgent(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(provider => new RegionAgent(provider.GetRequiredService<RegionOptions>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<RegionAgent>>()));
        services.TryAddSingleton(provider => new RegionOperator(provider.GetRequiredService<RegionOptions>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<RegionOperator>>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RegionAgent>(
            provider => provider.GetRequiredService<RegionAgent>()));
        return services;
    }
}
