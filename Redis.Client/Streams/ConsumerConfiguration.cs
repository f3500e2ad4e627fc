using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Client.Streams;

/// <summary>Settings of consumer groups and streams.</summary>
public static class ConsumerConfiguration
{
    /// <summary>
    /// Binds the section <c>Consumer</c>, and over it <c>Consumer:GROUP</c>, whose name must be set before.
    /// <c>Consumer:Name</c> is the instance's name: give each instance one that survives its restarts (a StatefulSet's
    /// pod name, say), and it finds at once what it had not finished.
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

    /// <summary>Binds the section <c>Streams</c>: <c>Streams:KeepFor</c> is how long handled events are kept; without it, for ever.</summary>
    public static void BindRetention(this StreamRetentionOptions options, IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(options);
        provider.GetRequiredService<IConfiguration>().GetSection("Streams").Bind(options);
    }
}
