using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Health;
using AspireRedis.Hosting.Regions;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Adds a standby region to a Sentinel deployment of the application model.</summary>
public static class RedisRegionsBuilderExtensions
{
    /// <summary>
    /// Adds a deployment <c>NAME-REGION</c> that replicates from this one over a line which can be slow or cut, and takes its place when it
    /// is lost, and the resource <c>NAME-regions</c> with the commands <c>status</c>, <c>switch</c>, <c>promote</c>, <c>failback</c>,
    /// <c>cut-link</c> and <c>heal-link</c>. It has as many replicas and Sentinels as this one has at the moment, and the same
    /// persistence. The servers of both get users of their own, see <see cref="RedisRegionUsers"/>. Somebody must run an agent for each region
    /// (<see cref="WithRegionControl"/>), or neither accepts writes of services that are in it (<see cref="WithRegion"/>).
    /// </summary>
    /// <remarks>
    /// The line is in this process. In containers each region has a network of its own, and reaches the line at the gateway of that, which
    /// must be an address of this machine: so it is with Docker on Linux, and not where the engine is in a virtual machine or without
    /// root. Agents are processes of this machine.
    /// </remarks>
    /// <param name="builder">The deployment that is active at first.</param>
    /// <param name="region">The name of the standby: letters, digits, <c>-</c>, <c>_</c>, <c>.</c>.</param>
    /// <param name="witnesses">The servers on which the right to accept writes is a lease; for a test they may stand beside both.</param>
    /// <param name="activeRegion">The name of the region that is active at first. Default <c>home</c>.</param>
    /// <exception cref="InvalidOperationException">
    /// The deployment has a password or no Sentinels, or it is in a region already.
    /// </exception>
    /// <exception cref="ArgumentException">The regions have the same name.</exception>
    public static IResourceBuilder<RedisRegionsResource> WithStandbyRegion(
        this IResourceBuilder<RedisSentinelResource> builder, string region, IResourceBuilder<RedlockNodesResource> witnesses,
        string activeRegion = "home")
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(region);
        ArgumentNullException.ThrowIfNull(witnesses);
        ArgumentException.ThrowIfNullOrWhiteSpace(activeRegion);
        var active = builder.Resource;
        if (region == activeRegion)
        {
            throw new ArgumentException($"Both regions are called '{region}'.", nameof(region));
        }
        if (active.Regions is not null)
        {
            throw new InvalidOperationException($"{active.Name} has a standby already, or is one.");
        }
        if (active.PasswordParameter is not null)
        {
            throw new InvalidOperationException($"{active.Name} has a password; the servers of a region have users with their own instead.");
        }
        if (active.Options.Sentinels == 0)
        {
            throw new InvalidOperationException($"{active.Name} has no Sentinels; regions are for Sentinel deployments.");
        }

        var application = builder.ApplicationBuilder;
        var standby = application.AddRedisSentinel($"{active.Name}-{region}")
            .WithTopology(_ => active.Options with { ServiceName = $"{active.Options.ServiceName}-{region}" });
        var regions = new RedisRegionsResource($"{active.Name}-regions", active, activeRegion, standby.Resource, region, witnesses.Resource);
        foreach (var deployment in new[] { active, standby.Resource })
        {
            deployment.Regions = regions;
            deployment.Secret = ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(application, $"{deployment.Name}-secret",
                special: false);
        }
        // Its head finds a primary to replicate from.
        standby.Resource.Nodes[0].Annotations.Add(new WaitAnnotation(active.Nodes[0], WaitType.WaitUntilHealthy));
        var watcher = new RegionsWatcher(regions);
        var added = application.AddResource(regions)
            .WithInitialState(new CustomResourceSnapshot
            {
                ResourceType = "Redis regions", State = KnownResourceStates.NotStarted, Properties = [],
            })
            .WithIconName("GlobeLocation")
            .WithHealthCheck(RedisHealthChecks.Add(application, $"{regions.Name}_complete", watcher.MissingAsync))
            .ExcludeFromManifest()
            .OnInitializeResource((_, @event, cancellationToken) => watcher.InitializeAsync(@event, cancellationToken));
        RegionCommands.AddTo(added);
        return added;
    }

    /// <summary>Makes the line between the regions slow or narrow, as one between places that are far apart is.</summary>
    /// <param name="builder">The regions.</param>
    /// <param name="latency">How long a byte is under way, in each direction. Default zero.</param>
    /// <param name="bytesPerSecond">What passes in a second, of both directions together. Default null: no limit.</param>
    /// <exception cref="ArgumentOutOfRangeException">The latency is negative, or above 10 s, or nothing would pass.</exception>
    public static IResourceBuilder<RedisRegionsResource> WithLink(this IResourceBuilder<RedisRegionsResource> builder, TimeSpan latency,
        long? bytesPerSecond = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfLessThan(latency, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(latency, TimeSpan.FromSeconds(10));
        if (bytesPerSecond is { } rate)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rate, nameof(bytesPerSecond));
        }
        builder.Resource.Link.Latency = latency;
        builder.Resource.Link.BytesPerSecond = bytesPerSecond;
        return builder;
    }

    /// <summary>
    /// Puts a service into a region: it gets the connection string of that region's deployment as <c>ConnectionStrings:redis</c>, and the
    /// section <c>Regions</c>, from which <c>AddRedisCoordination</c> of AspireRedis.Client knows its region.
    /// </summary>
    /// <param name="builder">The service.</param>
    /// <param name="regions">Both regions.</param>
    /// <param name="standby">Whether it is in the one that is the standby at first.</param>
    /// <param name="connectionName">The name of the connection string. Default <c>redis</c>.</param>
    public static IResourceBuilder<T> WithRegion<T>(this IResourceBuilder<T> builder, IResourceBuilder<RedisRegionsResource> regions,
        bool standby, string connectionName = "redis")
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(regions);
        var deployment = regions.ApplicationBuilder.CreateResourceBuilder(standby ? regions.Resource.Standby : regions.Resource.Active);
        return builder.WithReference(deployment, connectionName).WithSettings(regions.Resource, standby, control: false)
            .WaitFor(deployment);
    }

    /// <summary>
    /// Tells an agent of a region, or a tool of an operator, of both regions, the witnesses and the line, with the user that may administer
    /// all servers: the section <c>Regions</c>.
    /// </summary>
    /// <param name="builder">The agent.</param>
    /// <param name="regions">Both regions.</param>
    /// <param name="standby">Whether it works for the one that is the standby at first.</param>
    public static IResourceBuilder<T> WithRegionControl<T>(this IResourceBuilder<T> builder,
        IResourceBuilder<RedisRegionsResource> regions, bool standby)
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(regions);
        var application = regions.ApplicationBuilder;
        return builder.WithSettings(regions.Resource, standby, control: true)
            .WaitFor(application.CreateResourceBuilder(regions.Resource.Active))
            .WaitFor(application.CreateResourceBuilder(regions.Resource.Standby))
            .WaitFor(application.CreateResourceBuilder(regions.Resource.Witnesses));
    }

    /// <summary>
    /// The settings of somebody who administers both regions, such as <c>Regions:Witnesses</c>, in the names that the configuration of .NET
    /// has. They hold passwords.
    /// </summary>
    /// <param name="builder">The regions.</param>
    /// <param name="cancellationToken">Ends the wait until all addresses are known, when the application has started.</param>
    public static async Task<IReadOnlyDictionary<string, string>> ControlSettingsAsync(
        this IResourceBuilder<RedisRegionsResource> builder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = await builder.Resource.SettingsAsync(builder.Resource.ActiveRegion, control: true, cancellationToken);
        return settings.ToDictionary(s => s.Name, s => s.Value, StringComparer.Ordinal);
    }

    private static IResourceBuilder<T> WithSettings<T>(this IResourceBuilder<T> builder, RedisRegionsResource regions, bool standby,
        bool control)
        where T : IResourceWithEnvironment
        => builder.WithEnvironment(async context =>
        {
            if (context.ExecutionContext.IsPublishMode)
            {
                return;
            }
            var region = standby ? regions.StandbyRegion : regions.ActiveRegion;
            foreach (var (name, value) in await regions.SettingsAsync(region, control, context.CancellationToken))
            {
                context.EnvironmentVariables[name.Replace(":", "__", StringComparison.Ordinal)] = value;
            }
        });
}
