using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Streams.Conformance.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

// A consumer that kills itself at a step, or works until it is killed:
// `state|mail CONNECTION STREAM CONSUMER MAIL_FOLDER STEP NTH`. The group has the name of the kind.
var (kind, stream, consumer, folder) = (args[0], args[2], args[3], args[4]);
var suicide = new Suicide(Enum.Parse<KillStep>(args[5]), int.Parse(args[6], CultureInfo.InvariantCulture));
WorkItem.Decoded = () => suicide.At(KillStep.AfterRead);

await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(args[1]));
await using var writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
IStreamHandler<WorkItem> handler = kind == "state" ? new StateHandler(new Inbox(writer, Options.Create(new InboxOptions())), suicide) : new MailHandler(deployment, folder, suicide);
var group = new ConsumerGroup<WorkItem>(
    deployment, WorkItem.Topic(stream),
    new() { Group = kind, Consumer = consumer, MinIdle = TimeSpan.FromSeconds(1), BatchSize = 20, MaxDeliveries = 1000 },
    handler, TimeProvider.System, NullLogger<ConsumerGroup<WorkItem>>.Instance);
await group.RunAsync(CancellationToken.None);
