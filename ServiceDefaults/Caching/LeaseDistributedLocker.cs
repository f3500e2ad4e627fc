using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Logging;
using ZiggyCreatures.Caching.Fusion.Locking.Distributed;

namespace AspireRedis.ServiceDefaults.Caching;

/// <summary>Has FusionCache load under our lease, so that one loader runs across all instances.</summary>
/// <remarks>
/// The lock only saves work: who does not get it in time, or asks while Redis is away, gets null, and FusionCache loads all the same.
/// </remarks>
internal sealed class LeaseDistributedLocker(ILeaseProvider leases, RedisDeployment redis) : IFusionCacheDistributedLocker
{
    // A lease leaves its last fencing token behind for a day, so not one for each entry: that many leases, and names without ids in them.
    // Two entries of one lease load one after the other.
    private const int Stripes = 1024;

    // Of a lock without a timeout.
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(10);

    // What a server that does not answer may add to the wait.
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(250);

    // Not renewed: FusionCache releases no lock when its write to the shared level has failed. Longer than any load takes.
    private static readonly LeaseOptions s_options = new() { Ttl = TimeSpan.FromSeconds(10), AutoRenew = false };

    /// <inheritdoc/>
    public async ValueTask<object?> AcquireLockAsync(string cacheName, string cacheInstanceId, string operationId, string key,
        string lockName, TimeSpan timeout, ILogger? logger, CancellationToken token)
    {
        var lease = LeaseOf(lockName);
        if (!redis.DatabaseOf(lease).Multiplexer.IsConnected)
        {
            // Who has an entry of before need not wait to be given that.
            return null;
        }
        var wait = timeout < TimeSpan.Zero || timeout > s_longestWait ? s_longestWait : timeout;
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(token);
        bound.CancelAfter(wait + s_grace);
        try
        {
            return await leases.TryAcquireAsync(lease, s_options with { WaitTimeout = wait }, bound.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public object? AcquireLock(string cacheName, string cacheInstanceId, string operationId, string key, string lockName, TimeSpan timeout,
        ILogger? logger, CancellationToken token)
        => AcquireLockAsync(cacheName, cacheInstanceId, operationId, key, lockName, timeout, logger, token)
            .AsTask().GetAwaiter().GetResult();

    /// <inheritdoc/>
    public ValueTask ReleaseLockAsync(string cacheName, string cacheInstanceId, string operationId, string key, string lockName,
        object? lockObj, ILogger? logger, CancellationToken token)
    {
        ReleaseLock(cacheName, cacheInstanceId, operationId, key, lockName, lockObj, logger, token);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public void ReleaseLock(string cacheName, string cacheInstanceId, string operationId, string key, string lockName, object? lockObj,
        ILogger? logger, CancellationToken token)
        // Nobody waits for it: what was loaded is stored, and the next in line is told by the server. It does not throw.
        => _ = (lockObj as ILease)?.DisposeAsync().AsTask();

    /// <summary>The name of the lease under which an entry is loaded. It must be the same in every process.</summary>
    internal static string LeaseOf(string lockName)
    {
        var hash = BinaryPrimitives.ReadUInt32LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(lockName)));
        return string.Create(CultureInfo.InvariantCulture, $"cache_lock:{{{hash % Stripes}}}");
    }
}
