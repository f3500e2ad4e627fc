using AspireRedis.Coordination.Locking.Redlock;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination;

/// <summary>Adds leases on independent nodes to a service collection.</summary>
public static class RedlockServiceCollectionExtensions
{
    /// <summary>
    /// Adds a <see cref="RedlockProvider"/>, a singleton, whose nodes are the endpoints of a connection string:
    /// <c>host1:6379,host2:6379,host3:6379,password=x</c>. Each endpoint is a node of its own; strings of nodes with
    /// different settings are separated by semicolons.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="connectionName">The key below <c>ConnectionStrings</c>.</param>
    /// <param name="configure">Sets further options, and nodes whose password has a semicolon.</param>
    /// <remarks>
    /// Without nodes, or with some that cannot be used, resolving the provider throws an exception that names the option.
    /// </remarks>
    public static IServiceCollection AddRedlock(
        this IServiceCollection services, string connectionName = "locks", Action<RedlockOptions, IServiceProvider>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionName);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider =>
        {
            var options = new RedlockOptions();
            options.AddNodes(provider.GetService<IConfiguration>()?[$"ConnectionStrings:{connectionName}"] ?? "");
            configure?.Invoke(options, provider);
            return options.Nodes.Count > 0
                ? new RedlockProvider(options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RedlockProvider>>())
                : throw new InvalidOperationException($"No lock nodes are configured: set ConnectionStrings:{connectionName} or {nameof(RedlockOptions)}.{nameof(RedlockOptions.Nodes)}.");
        });
        return services;
    }
}
