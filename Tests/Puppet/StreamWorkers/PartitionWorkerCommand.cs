using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.Holding;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>An instance of a group that divides partitions, until it is killed.</summary>
internal static class PartitionWorkerCommand
{
    /// <summary><c>CONNECTION TOPIC PARTITIONS MIN_IDLE_MS</c>. The group is <c>g</c>; it prints "holding" at the first event.</summary>
    public static async Task RunAsync(string[] arguments)
    {
        await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(arguments[0]));
        await using var writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
        var group = new ConsumerGroup<Numbered>(
            deployment, Numbered.Topic(arguments[1], int.Parse(arguments[2], CultureInfo.InvariantCulture)),
            new() { Group = "g", MinIdle = TimeSpan.FromMilliseconds(int.Parse(arguments[3], CultureInfo.InvariantCulture)) },
            new RecordingHandler(new Inbox(writer, Options.Create(new InboxOptions()))),
            TimeProvider.System, NullLogger<ConsumerGroup<Numbered>>.Instance);
        await group.RunAsync(CancellationToken.None);
    }
}
