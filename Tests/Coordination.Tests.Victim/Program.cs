using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Victim;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

// A process that tests kill while it holds something: `lease CONNECTION KEY TTL_MS`, `queue CONNECTION KEY
// WAITERS` to wait for one, or `consume CONNECTION KEY GROUP CONSUMER`. It says "holding" once it has the lease, or is inside the handler, and then never ends by itself.
await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(args[1]));

if (args[0] == "lease")
{
    var provider = new RedisLeaseProvider(deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
    var ttl = TimeSpan.FromMilliseconds(int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture));
    await using var lease = await provider.AcquireAsync(args[2], new LeaseOptions { Ttl = ttl });
    Console.WriteLine($"holding {lease.FencingToken}");
    await Task.Delay(Timeout.Infinite);
}
else if (args[0] == "queue")
{
    var provider = new RedisLeaseProvider(deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
    var waiters = int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture);
    await Task.WhenAll(Enumerable.Range(0, waiters).Select(async _ =>
    {
        await using var lease = await provider.AcquireAsync(args[2], new LeaseOptions { WaitTimeout = TimeSpan.FromHours(1) });
        Console.WriteLine($"holding {lease.FencingToken}");
        await Task.Delay(Timeout.Infinite);
    }));
}
else
{
    var group = new ConsumerGroup<Numbered>(
        deployment, Numbered.Topic(args[2]), new ConsumerGroupOptions<Numbered> { Group = args[3], Consumer = args[4] },
        new Stuck(), TimeProvider.System, NullLogger<ConsumerGroup<Numbered>>.Instance);
    await group.RunAsync(CancellationToken.None);
}

internal sealed class Stuck : IStreamHandler<Numbered>
{
    public async Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
    {
        Console.WriteLine($"holding {message.Value.Number}");
        await Task.Delay(Timeout.Infinite, cancellationToken);
        return HandlerResult.Handled;
    }
}
