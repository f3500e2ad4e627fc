using System.Text;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>The slots of Redis Cluster, which a server without cluster support does not tell (CLUSTER KEYSLOT).</summary>
internal static class HashSlots
{
    public static int Of(string key)
    {
        var open = key.IndexOf('{', StringComparison.Ordinal);
        var close = open < 0 ? -1 : key.IndexOf('}', open);
        return Crc16(close > open + 1 ? key[(open + 1)..close] : key) % 16384;
    }

    /// <summary>XMODEM, of the specification of Redis Cluster.</summary>
    public static int Crc16(string text)
    {
        var crc = 0;
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            crc ^= b << 8;
            for (var i = 0; i < 8; i++)
            {
                crc = ((crc << 1) ^ ((crc & 0x8000) == 0 ? 0 : 0x1021)) & 0xFFFF;
            }
        }
        return crc;
    }
}
