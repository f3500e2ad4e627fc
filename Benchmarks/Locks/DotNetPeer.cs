using Medallion.Threading.Redis;
using RedLockNet.SERedis;
using RedLockNet.SERedis.Configuration;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>A lock library of .NET that is measured beside ours, with its defaults, on a connection with the same settings.</summary>
/// <param name="Name">The package.</param>
/// <param name="Connect">Gives what takes a lock, waiting for it, until the handle is disposed of.</param>
internal sealed record DotNetPeer(string Name, Func<IConnectionMultiplexer, Func<string, Task<IAsyncDisposable>>> Connect)
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(60);

    public static IReadOnlyList<DotNetPeer> All { get; } =
    [
        new("DistributedLock.Redis", static connection => async resource
            => await new RedisDistributedLock(resource, connection.GetDatabase()).AcquireAsync(s_wait)),
        new("RedLock.net", static connection =>
        {
            var factory = RedLockFactory.Create([new RedLockMultiplexer(connection)]);
            // It has no defaults for these: our TTL, and a retry ten times as quick as in its read-me file.
            return async resource => await factory.CreateLockAsync(
                resource, TimeSpan.FromSeconds(10), s_wait, TimeSpan.FromMilliseconds(100)) is { IsAcquired: true } taken ? taken : throw new TimeoutException($"RedLock.net got no lock of {resource}.");
        }),
    ];
}
