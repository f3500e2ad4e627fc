using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Client;

/// <summary>Options of consumer groups and streams, from configuration.</summary>
public static class ConsumerConfiguration
{
    /// <summary>
    /// Binds the section <c>Consumer</c>, and over it <c>Consumer:GROUP</c>, to the options of a group, for example
    /// <c>Consumer:MaxConcurrency</c> and <c>Consumer:mailers:MaxDeliveries</c>. What neither has keeps its value.
    /// <c>Consumer:Name</c> is the instance's name: give each instance one that survives its restarts (the pod name of a
    /// StatefulSet, say), and it finds at once what it had not finished.
    /// </summary>
    /// <param name="options">The options; <see cref="ConsumerGroupOptions.Group"/> is set before, and stays.</param>
    /// <param name="provider">Has the <see cref="IConfiguration"/>; it is what <c>AddConsumerGroup</c> passes to its callback.</param>
    /// <exception cref="ArgumentException"><see cref="ConsumerGroupOptions.Group"/> is empty.</exception>
    /// <exception cref="InvalidOperationException">A value cannot be converted; the message names its key.</exception>
    public static void BindConsumer(this ConsumerGroupOptions options, IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(provider);
        ArgumentException.ThrowIfNullOrWhiteSpace(options.Group);
        var group = options.Group;
        var section = provider.GetRequiredService<IConfiguration>().GetSection("Consumer");
        section.Bind(options);
        section.GetSection(group).Bind(options);
        options.Consumer = section["Name"] ?? options.Consumer;
        options.Group = group;
    }

    /// <summary>
    /// Binds the section <c>Streams</c>: <c>Streams:KeepFor</c> is how long entries are kept that every group has handled, and
    /// <c>Streams:DeadLettersKeepFor</c> how long dead letters are; without them, for ever.
    /// </summary>
    /// <param name="options">The options.</param>
    /// <param name="provider">Has the <see cref="IConfiguration"/>; it is what <c>AddStreamRetention</c> passes to its callback.</param>
    /// <exception cref="InvalidOperationException">A value cannot be converted; the message names its key.</exception>
    public static void BindRetention(this StreamRetentionOptions options, IServiceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(provider);
        provider.GetRequiredService<IConfiguration>().GetSection("Streams").Bind(options);
    }
}
