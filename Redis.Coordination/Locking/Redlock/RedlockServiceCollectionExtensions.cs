using AspireRedis.Coordination.Locking;
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
    /// Adds a <see cref="RedlockProvider"/> as a keyed singleton <see cref="ILeaseProvider"/>, whose key is the connection
    /// name: <c>[FromKeyedServices("locks")] ILeaseProvider leases</c>. Its nodes are the endpoints of the connection string
    /// <c>host1:6379,host2:6379,host3:6379,password=x</c>. Each endpoint is a node of its own; strings of nodes with
    /// different settings are separated by semicolons.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="connectionName">The key below <c>ConnectionStrings</c>, and that of the service.</param>
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
        services.TryAddKeyedSingleton<ILeaseProvider>(connectionName, (provider, _) =>
        {
            var options = new RedlockOptions();
            options.AddNodes(provider.GetService<IConfiguration>()?[$"ConnectionStrings:{connectionName}"] ?? "");
            configure?.Invoke(options, provider);
            return options.Nodes.Count > 0
                ? new RedlockProvider(options, provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<RedlockProvider>>())
                : throw new InvalidOperationException(
                    $"No lock nodes are configured: set ConnectionStrings:{connectionName}"
                    + $" or {nameof(RedlockOptions)}.{nameof(RedlockOptions.Nodes)}.");
        });
        return services;
    }
}
