using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// The slot of a key in a Redis Cluster: CRC16 (XMODEM) modulo 16384, of what is between the first <c>{</c> and the next <c>}</c> where
/// that is not empty, and else of the whole key; see
/// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model.
/// </summary>
internal static class KeySlot
{
    /// <summary>The number of slots of every cluster.</summary>
    public const int Count = 16384;

    private static readonly ushort[] s_table = Table();

    /// <summary>The slot of a key, from 0.</summary>
    public static int Of(RedisKey key) => Of((byte[]?)key);

    /// <inheritdoc cref="Of(RedisKey)"/>
    public static int Of(ReadOnlySpan<byte> key)
    {
        var open = key.IndexOf((byte)'{');
        if (open >= 0 && key[(open + 1)..].IndexOf((byte)'}') is var length and > 0)
        {
            key = key.Slice(open + 1, length);
        }
        return Crc16(key) % Count;
    }

    /// <summary>Some key whose slot is wanted.</summary>
    /// <param name="isWanted">Of at least one slot.</param>
    public static string AnyKey(Func<int, bool> isWanted)
        => Enumerable.Range(0, int.MaxValue).Select(i => i.ToString(CultureInfo.InvariantCulture))
            .First(key => isWanted(Of((RedisKey)key)));

    /// <summary>Polynomial 0x1021, initially 0, not reflected.</summary>
    public static ushort Crc16(ReadOnlySpan<byte> bytes)
    {
        var crc = 0;
        foreach (var b in bytes)
        {
            crc = ((crc << 8) ^ s_table[((crc >> 8) ^ b) & 0xFF]) & 0xFFFF;
        }
        return (ushort)crc;
    }

    private static ushort[] Table()
    {
        var table = new ushort[256];
        for (var i = 0; i < table.Length; i++)
        {
            var crc = i << 8;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
            }
            table[i] = (ushort)crc;
        }
        return table;
    }
}
