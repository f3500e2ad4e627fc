using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>A consumer that kills its process at a planned point, or works until it is killed.</summary>
internal static class StreamWorkerCommand
{
    /// <summary><c>state|mail CONNECTION STREAM CONSUMER MAIL_FOLDER CRASH_POINT NTH</c>. The group has the name of the kind.</summary>
    public static async Task RunAsync(string[] arguments)
    {
        var (kind, stream, consumer, folder) = (arguments[0], arguments[2], arguments[3], arguments[4]);
        var crash = new PlannedCrash(Enum.Parse<CrashPoint>(arguments[5]), int.Parse(arguments[6], CultureInfo.InvariantCulture));
        WorkItem.Decoded = () => crash.Reached(CrashPoint.AfterRead);

        await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(arguments[1]));
        await using var writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
        IStreamHandler<WorkItem> handler = kind == "state"
            ? new StateHandler(new Inbox(writer, Options.Create(new InboxOptions())), crash)
            : new MailHandler(deployment, folder, crash);
        var group = new ConsumerGroup<WorkItem>(
            deployment, WorkItem.Topic(stream),
            new() { Group = kind, Consumer = consumer, MinIdle = TimeSpan.FromSeconds(1), BatchSize = 20, MaxDeliveries = 1000 },
            handler, TimeProvider.System, NullLogger<ConsumerGroup<WorkItem>>.Instance);
        await group.RunAsync(CancellationToken.None);
    }
}
