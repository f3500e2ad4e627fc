using System.Collections.Concurrent;
using System.Net;
using System.Runtime.InteropServices;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Puppet.Contending.Locks;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Puppet.Contending;

/// <summary>One client process of a history. SIGTERM lets each contender end what it has begun.</summary>
internal static class ContendCommand
{
    /// <summary><c>JSON</c> of <see cref="ClientOptions"/>.</summary>
    public static async Task RunAsync(string[] arguments)
    {
        var options = ClientOptions.Parse(arguments[0]);
        using var stopping = new CancellationTokenSource();
        using var onSigTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stopping.Cancel();
        });
        await using var deployment = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(options.ConnectionString));
        var connection = deployment.Connection;
        var ttl = TimeSpan.FromMilliseconds(options.TtlMilliseconds);
        var lease = new LeaseOptions
        {
            Ttl = ttl,
            ClaimTime = TimeSpan.FromMilliseconds(options.ClaimMilliseconds),
            Durability = options.Lock == LockKind.DurableLease ? Durability.Replica : Durability.Memory,
        };
        await using var durable = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
        await using var primary = new RedisLeaseProvider(deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance, durable);
        await using var redlock = options.Lock == LockKind.Redlock ? Redlock() : null;
        ILock leases = options.Lock switch
        {
            LockKind.Lease or LockKind.DurableLease or LockKind.LeaseWithoutFencing => new LeaseLock(primary, lease),
            LockKind.Redlock => new LeaseLock(redlock!, lease),
            _ => new PollingLock(deployment, options.Lock, ttl),
        };
        var store = new Store(deployment, fenced: options.Lock != LockKind.LeaseWithoutFencing);

        var cutOff = new ConcurrentDictionary<(EndPoint?, ConnectionType), long>();
        using var log = new HistoryLog(options.HistoryFile, options.Process);
        using var queue = new QueueListener();
        connection.ConnectionFailed += (_, e) => cutOff.TryAdd((e.EndPoint, e.ConnectionType), HistoryLog.Now);
        connection.ConnectionRestored += (_, e) =>
        {
            if (cutOff.TryRemove((e.EndPoint, e.ConnectionType), out var since))
            {
                log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.CutOff) { From = since });
            }
        };
        log.Write(new HistoryEvent(HistoryLog.Now, HistoryEventKind.Started));
        var stalls = StallDetector.RunAsync(log, stopping.Token);
        await Task.WhenAll(Enumerable.Range(1, options.Contenders).Select(
            n => Task.Run(() => new Contender(options, n, leases, store, queue, log).RunAsync(stopping.Token))));
        await stopping.CancelAsync();
        await stalls;

        RedlockProvider Redlock()
        {
            // They force each write to disk, so that a restarted one has forgotten nothing.
            var nodes = new RedlockOptions { MaxTtl = ttl, RestartedNodes = RestartedNodes.CountAtOnce };
            foreach (var node in options.LockNodes)
            {
                nodes.Nodes.Add(node);
            }
            return new RedlockProvider(nodes, TimeProvider.System, NullLogger<RedlockProvider>.Instance);
        }
    }
}
