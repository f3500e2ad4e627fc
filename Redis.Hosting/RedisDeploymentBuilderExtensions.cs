using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>What can be said of every <see cref="RedisDeploymentResource"/>.</summary>
public static class RedisDeploymentBuilderExtensions
{
    /// <summary>
    /// Changes any option of the nodes. The password is given by <see cref="WithPassword"/>, and addresses are found at
    /// the start.
    /// </summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="change">Gives the new options from those so far.</param>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public static IResourceBuilder<T> WithTopology<T>(this IResourceBuilder<T> builder,
        Func<RedisTopologyOptions, RedisTopologyOptions> change)
        where T : RedisTopologyResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(change);
        var options = change(builder.Resource.Options);
        options.Validate();
        RedisDeployments.RefusePassword(options.Password, nameof(change));
        builder.Resource.Options = options;
        RedisDeployments.Arrange(builder);
        return builder;
    }

    /// <summary>
    /// Sets what servers keep on disk; by default snapshots and an append-only file forced to disk each second, and for
    /// lock nodes before each answer.
    /// </summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="persistence">What to keep.</param>
    public static IResourceBuilder<T> WithPersistence<T>(this IResourceBuilder<T> builder, RedisPersistence persistence)
        where T : RedisTopologyResource
        => builder.WithTopology(_ => builder.Resource.With(persistence));

    /// <summary>
    /// Demands a password of whoever connects, nodes included. By default there is none: every node is reached from
    /// this machine only.
    /// </summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="password">
    /// A secret without white space and commas, which a connection string cannot carry; null for a generated one,
    /// <c>NAME-password</c>.
    /// </param>
    public static IResourceBuilder<T> WithPassword<T>(this IResourceBuilder<T> builder,
        IResourceBuilder<ParameterResource>? password = null)
        where T : RedisDeploymentResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Resource.PasswordParameter = password?.Resource
            ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder.ApplicationBuilder,
            $"{builder.Resource.Name}-password", special: false);
        return builder;
    }

    /// <summary>
    /// Keeps the data, and who was the primary, for the next run: in a volume per container, or as processes in the AppHost's
    /// store (its <c>obj</c> folder). Only one run at a time can use it. All nodes then start at once, so the first start takes
    /// some seconds longer until Sentinels know all replicas.
    /// </summary>
    /// <param name="builder">The deployment.</param>
    /// <exception cref="InvalidOperationException">Executable mode, and another program has a port of the earlier run.</exception>
    public static IResourceBuilder<T> WithDataVolume<T>(this IResourceBuilder<T> builder)
        where T : RedisDeploymentResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        return KeepData(builder, directory: null);
    }

    /// <summary>
    /// Like <see cref="WithDataVolume"/>, in a directory of this machine with a directory per node. Executable mode
    /// only.
    /// </summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="path">The directory; a relative path is below the AppHost's.</param>
    /// <exception cref="InvalidOperationException">The nodes are containers, or another program has a port of the earlier run.</exception>
    public static IResourceBuilder<T> WithDataDirectory<T>(this IResourceBuilder<T> builder, string path)
        where T : RedisDeploymentResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return KeepData(builder, Path.GetFullPath(path, builder.ApplicationBuilder.AppHostDirectory));
    }

    private static IResourceBuilder<T> KeepData<T>(IResourceBuilder<T> builder, string? directory)
        where T : RedisDeploymentResource
    {
        builder.Resource.Runtime.KeepData(builder.ApplicationBuilder, builder.Resource, directory);
        builder.Resource.KeepsData = true;
        RedisDeployments.Arrange(builder);
        return builder;
    }
}
