using System.Globalization;
using System.Text;
using AspireRedis.Coordination.Failover.Cluster;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// How keys are divided: a name and a number of partitions, both fixed for the life of the data. Topics that share it have the
/// events of one key in partitions of the same number, whose keys in Redis have the same hash tag, <see cref="TagOf(int)"/>: one script
/// may touch them all, also in a Redis Cluster, and state beside them.
/// </summary>
/// <remarks>
/// The partition of a key is CRC16 of its UTF-8 bytes modulo <see cref="Count"/>, the CRC16 of Redis Cluster (XMODEM: polynomial 0x1021,
/// initially 0, not reflected; https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/), of the whole key, whatever
/// braces it has. It stays so in every version. With a count of 1 there is nothing to divide: keys have no hash tag of ours.
/// Immutable and safe for concurrent use.
/// </remarks>
public sealed record StreamPartitions
{
    /// <summary>The largest number: each partition costs a consumer group two connections and a lease.</summary>
    public const int MaxCount = 1024;

    /// <summary>Defines the partitions.</summary>
    /// <param name="name">Names them in the keys, <c>{NAME:3}</c>; without braces.</param>
    /// <param name="count">How many, 1 to <see cref="MaxCount"/>.</param>
    /// <exception cref="ArgumentException">The name is empty or has a brace, or the number is out of range.</exception>
    public StreamPartitions(string name, int count)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (name.AsSpan().ContainsAny('{', '}'))
        {
            throw new ArgumentException("The name stands in a hash tag and has no braces.", nameof(name));
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        Name = name;
        Count = count;
    }

    /// <summary>Names them in the keys.</summary>
    public string Name { get; }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>The number of the partition that a key belongs to, from 0.</summary>
    /// <param name="key">What events are ordered by, such as the id of an order.</param>
    public int NumberOf(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Count == 1 ? 0 : KeySlot.Crc16(Encoding.UTF8.GetBytes(key)) % Count;
    }

    /// <summary>
    /// The hash tag of a partition, <c>{NAME:3}</c>, for keys of state that belong to it; empty when there is one partition only.
    /// </summary>
    /// <param name="number">Its number, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is none of this number.</exception>
    public string TagOf(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, Count);
        return Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"{{{Name}:{number}}}");
    }

    /// <summary>The hash tag of the partition that <paramref name="key"/> belongs to.</summary>
    /// <inheritdoc cref="TagOf(int)"/>
    /// <inheritdoc cref="NumberOf"/>
    public string TagOf(string key) => TagOf(NumberOf(key));
}
