using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Client.Streams;

/// <summary>Binds options of consumer groups and streams to the configuration.</summary>
public static class ConsumerConfiguration
{
    /// <summary>
    /// Binds the section <c>Consumer</c>, then <c>Consumer:GROUP</c>, which overrides it;
    /// <see cref="ConsumerGroupOptions.Group"/> must be set before. <c>Consumer:Name</c> is the name of the instance: with a
    /// unique name that survives restarts (the pod name of a StatefulSet, for example) it resumes unfinished work at once.
    /// </summary>
    public static void BindConsumer(this ConsumerGroupOptions options, IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(options);
        var group = options.Group;
        var section = provider.GetRequiredService<IConfiguration>().GetSection("Consumer");
        section.Bind(options);
        section.GetSection(group).Bind(options);
        options.Consumer = section["Name"] ?? options.Consumer;
        options.Group = group;
    }

    /// <summary>
    /// Binds the section <c>Streams</c>: <c>Streams:KeepFor</c> is how long handled events are kept. Without it they
    /// are never removed.
    /// </summary>
    public static void BindRetention(this StreamRetentionOptions options, IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(options);
        provider.GetRequiredService<IConfiguration>().GetSection("Streams").Bind(options);
    }
}
