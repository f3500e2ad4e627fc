using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Health;

namespace AspireRedis.Hosting;

/// <summary>Adds independent servers for Redlock to the application model.</summary>
public static class RedlockBuilderExtensions
{
    /// <summary>
    /// Adds servers that know nothing of each other: containers, or processes of the locally installed <c>redis-server</c>, as
    /// the setting <c>Redis:Mode</c> says (auto, container or executable). Each is a resource below this one, with a health
    /// check of its own; together they are healthy while a majority answers. By default they write each command to disk before
    /// they answer it, as Redlock needs of a server that may come back: see <see cref="RedisDeploymentBuilderExtensions.WithPersistence"/>.
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource and of the connection string, which lists all servers.</param>
    /// <param name="count">How many; an odd number, as an even one survives no more failures than the odd one below it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is not odd, or less than 3.</exception>
    /// <exception cref="InvalidOperationException">
    /// <c>Redis:Mode</c> has another value, or Redis runs as executables and there is no <c>redis-server</c>; the message tells
    /// how to install it.
    /// </exception>
    public static IResourceBuilder<RedlockNodesResource> AddRedlockNodes(this IDistributedApplicationBuilder builder,
        [ResourceName] string name, int count = 5)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (count < 3 || count % 2 == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, "Redlock needs an odd number of nodes, three or more.");
        }
        var resource = new RedlockNodesResource(name, count, NodeRuntimes.Create(builder, name));
        return RedisDeployments.Add(builder, resource, new LockNodesHealth(resource));
    }
}
