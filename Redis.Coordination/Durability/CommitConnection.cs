using System.Net;

namespace AspireRedis.Coordination;

/// <summary>
/// A connection that a <see cref="CommitQueue"/> writes on, and what is known of its server. A connection of its own, and
/// no way through the door: <c>WAIT</c> blocks, speaks for what was sent before it on the same connection, and a command
/// that is run again must be run with the rest of its group.
/// </summary>
internal sealed class CommitConnection(DedicatedConnection connection, KnownFollowers followers) : IAsyncDisposable
{
    private Task<string?>? _missing;

    public DedicatedConnection Dedicated => connection;

    public EndPoint Node => connection.Node;

    /// <summary>Who follows the primary that it leads to.</summary>
    public KnownFollowers Followers => followers;

    /// <summary>Asks the primary who follows.</summary>
    public Task AskWhoFollowsAsync() => followers.AskAsync(connection.Database);

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
internal readonly record struct Acknowledgement(int Required, long Replicas, bool OnDisk, Exception? Failure = null)
{
    /// <summary>Whether enough replicas have the writes.</summary>
    public bool IsEnough => Failure is null && Replicas >= Required;
}
