using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Streams;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Puppet.Holding;

/// <summary>What is killed or frozen while it holds something. Each prints "holding" once it does, and never ends by itself.</summary>
internal static class HoldingCommands
{
    private static readonly TimeSpan s_childBound = TimeSpan.FromSeconds(30);

    /// <summary><c>CONNECTION KEY TTL_MS</c>: a lease, renewed.</summary>
    public static async Task LeaseAsync(string[] arguments)
    {
        await using var deployment = await ConnectAsync(arguments[0]);
        var ttl = TimeSpan.FromMilliseconds(int.Parse(arguments[2], CultureInfo.InvariantCulture));
        await HoldAsync(Leases(deployment), arguments[1], new LeaseOptions { Ttl = ttl });
    }

    /// <summary><c>CONNECTION KEY WAITERS</c>: so many wait for a lease, and hold it once they have it.</summary>
    public static async Task QueueAsync(string[] arguments)
    {
        await using var deployment = await ConnectAsync(arguments[0]);
        var leases = Leases(deployment);
        var waiters = int.Parse(arguments[2], CultureInfo.InvariantCulture);
        await Task.WhenAll(Enumerable.Range(0, waiters).Select(
            _ => HoldAsync(leases, arguments[1], new LeaseOptions { WaitTimeout = TimeSpan.FromHours(1) })));
    }

    /// <summary><c>CONNECTION POLICY LIMIT PERMITS TTL_MS</c>: permits of partition "x" of a limit of concurrency, renewed.</summary>
    public static async Task PermitsAsync(string[] arguments)
    {
        await using var deployment = await ConnectAsync(arguments[0]);
        await using var limiters = new RedisRateLimiters(deployment);
        await using var limiter = limiters.Create(
            new ConcurrencyLimit
            {
                Policy = arguments[1],
                PermitLimit = int.Parse(arguments[2], CultureInfo.InvariantCulture),
                LeaseTtl = TimeSpan.FromMilliseconds(int.Parse(arguments[4], CultureInfo.InvariantCulture)),
                DecisionTimeout = TimeSpan.FromSeconds(5),
            },
            "x");
        using var lease = await limiter.AcquireAsync(int.Parse(arguments[3], CultureInfo.InvariantCulture));
        Console.WriteLine($"{(lease.IsAcquired ? "holding" : "refused")} {arguments[3]}");
        await Task.Delay(Timeout.Infinite);
    }

    /// <summary><c>CONNECTION KEY GROUP CONSUMER</c>: a consumer whose handler never returns.</summary>
    public static async Task ConsumeAsync(string[] arguments)
    {
        await using var deployment = await ConnectAsync(arguments[0]);
        var group = new ConsumerGroup<Numbered>(
            deployment, Numbered.Topic(arguments[1]), new() { Group = arguments[2], Consumer = arguments[3] },
            new StuckHandler(), TimeProvider.System, NullLogger<ConsumerGroup<Numbered>>.Instance);
        await group.RunAsync(CancellationToken.None);
    }

    /// <summary><c>LOG_FILE</c>: a frozen child process, whose id it prints.</summary>
    public static async Task ChildAsync(string[] arguments)
    {
        using var child = ChildProcess.Start("sh", ["-c", "echo up; exec sleep 600"], arguments[0]);
        await Poll.UntilAsync(
            _ => Task.FromResult(child.LogTail().Contains("up", StringComparison.Ordinal) ? null : "no output"),
            s_childBound, "the child is up");
        child.Freeze();
        Console.WriteLine($"holding {child.Id}");
        await Task.Delay(Timeout.Infinite);
    }

    /// <summary>A port that nothing listens on, which it prints.</summary>
    public static Task PortAsync()
    {
        Console.WriteLine($"holding {PortAllocator.Next()}");
        return Task.Delay(Timeout.Infinite);
    }

    private static Task<RedisDeployment> ConnectAsync(string connectionString)
        => RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString));

    private static RedisLeaseProvider Leases(RedisDeployment deployment)
        => new(deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);

    private static async Task HoldAsync(RedisLeaseProvider leases, string resource, LeaseOptions options)
    {
        await using var lease = await leases.AcquireAsync(resource, options);
        Console.WriteLine($"holding {lease.FencingToken}");
        await Task.Delay(Timeout.Infinite);
    }

    private sealed class StuckHandler : IStreamHandler<Numbered>
    {
        public async Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            Console.WriteLine($"holding {message.Value.Number}");
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return HandlerResult.Handled;
        }
    }
}
