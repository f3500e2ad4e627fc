using System.Diagnostics;
using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The connection that a <see cref="CommitQueue"/> writes on, and what is known of its server. A connection of its own, and
/// no way through the door: <c>WAIT</c> blocks, speaks for what was sent before it on the same connection, and a command
/// that is run again must be run with the rest of its group.
/// </summary>
internal sealed class CommitConnection(DedicatedConnection connection) : IAsyncDisposable
{
    private readonly Dictionary<string, long> _followers = new(StringComparer.Ordinal);
    private Task<string?>? _missing;

    public DedicatedConnection Dedicated => connection;

    public EndPoint Node => connection.Node;

    /// <summary>
    /// Who was seen to follow this primary, as the Sentinels name them, and when last. One that leaves may have been
    /// promoted, so it stays.
    /// </summary>
    public IReadOnlyDictionary<string, long> Followers => _followers;

    public Task<RedisResult> RoleAsync() => connection.Database.ExecuteAsync("ROLE");

    /// <summary>Notes who follows, as the answer to <c>ROLE</c> tells; false when it does not.</summary>
    public async Task<bool> SawFollowersAsync(Task<RedisResult> role)
    {
        await ((Task)role).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!role.IsCompletedSuccessfully || await role is not { Length: 3 } answer || (string?)answer[0] != "master")
        {
            return false;
        }
        foreach (var replica in (RedisResult[])answer[2]!)
        {
            _followers[$"{replica[0]}:{replica[1]}"] = Stopwatch.GetTimestamp();
        }
        return true;
    }

    /// <summary>Waits for so many replicas; with <paramref name="fsync"/> also for the disks.</summary>
    public async Task<Acknowledgement> WaitAsync(int required, TimeSpan timeout, bool fsync)
    {
        var milliseconds = (long)timeout.TotalMilliseconds;
        try
        {
            var waiting = connection.Database.ExecuteAsync("WAIT", required, milliseconds);
            if (!fsync)
            {
                return new Acknowledgement(required, (long)await waiting, OnDisk: false);
            }
            var onDisk = await connection.Database.ExecuteAsync("WAITAOF", 1, required, milliseconds);
            return new Acknowledgement(required, (long)await waiting, (long)onDisk[0] >= 1 && (long)onDisk[1] >= required);
        }
        catch (Exception e)
        {
            return new Acknowledgement(required, 0, OnDisk: false, e);
        }
    }

    /// <summary>What the server lacks for <see cref="Durability.Fsync"/>; null when it lacks nothing.</summary>
    public Task<string?> MissingForFsyncAsync() => _missing ??= DurabilitySupport.MissingForFsyncAsync(connection.Database);

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}

/// <summary>What <c>WAIT</c> and <c>WAITAOF</c> say of the writes before them on their connection.</summary>
/// <param name="Required">How many replicas had to acknowledge.</param>
/// <param name="Replicas">How many did.</param>
/// <param name="OnDisk">Whether it is on enough disks; false where that was not asked.</param>
/// <param name="Failure">Why there is no answer; null when there is one.</param>
internal readonly record struct Acknowledgement(int Required, long Replicas, bool OnDisk, Exception? Failure = null);
