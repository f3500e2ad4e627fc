using System.Diagnostics.CodeAnalysis;
using AspireRedis.Coordination.Locking;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// What an instance shows that it has a partition, in every script by which it changes something there. From the first script of the
/// next owner on, its own are refused: what it reads, handles or acknowledges late has no effect. Safe for concurrent use.
/// </summary>
/// <param name="key">The fence, in the slot of the partition.</param>
/// <param name="token">The fencing token of the lease.</param>
/// <param name="resource">The name of the lease.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A source without a timer or a wait handle has nothing to dispose, and its token is in other hands.")]
internal sealed class PartitionFence(string key, long token, string resource)
{
    private readonly CancellationTokenSource _lost = new();

    public string Key => key;

    public long Token => token;

    /// <summary>Cancelled when the lease is lost, or another owner has been seen.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Whether a script was refused: another owner was there before the lease was known to be lost, or could be.</summary>
    public bool WasRefused { get; private set; }

    /// <summary>Ends everything that is done under it.</summary>
    public void Lose() => _ = _lost.CancelAsync();

    public RedisKey[] With(RedisKey[] keys) => [.. keys, key];

    public RedisValue[] With(RedisValue[] arguments) => [.. arguments, token];

    public static bool IsRefusal(Exception e) => e is RedisServerException && e.Message.StartsWith("FENCED", StringComparison.Ordinal);

    /// <summary>To be thrown after a refusal.</summary>
    public LeaseLostException Refused()
    {
        WasRefused = true;
        Lose();
        return new LeaseLostException(resource);
    }
}
