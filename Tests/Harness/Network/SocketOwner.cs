using System.Globalization;

namespace AspireRedis.Testing.Network;

/// <summary>Which process a local TCP connection belongs to, from <c>/proc</c>. Linux only.</summary>
internal static class SocketOwner
{
    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>The process among <paramref name="candidates"/> that has connected from one loopback port to another.</summary>
    /// <returns>Null when none of them has, or has closed the connection.</returns>
    public static int? Find(int fromPort, int toPort, IEnumerable<int> candidates)
    {
        if (FindInode(fromPort, toPort) is not { } inode)
        {
            return null;
        }

        var link = $"socket:[{inode}]";
        foreach (var process in candidates)
        {
            if (Holds(process, link))
            {
                return process;
            }
        }

        return null;
    }

    private static string? FindInode(int fromPort, int toPort)
    {
        // ":C34F 0100007F:1A0B": an address is in hexadecimal, and at loopback there is one connection between two ports.
        var from = string.Create(CultureInfo.InvariantCulture, $":{fromPort:X4}");
        var to = string.Create(CultureInfo.InvariantCulture, $"0100007F:{toPort:X4}");
        foreach (var table in Tables.Where(File.Exists))
        {
            foreach (var line in File.ReadLines(table).Skip(1))
            {
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 9 && fields[1].EndsWith(from, StringComparison.Ordinal) && fields[2].EndsWith(to, StringComparison.Ordinal) && fields[9] != "0")
                {
                    return fields[9];
                }
            }
        }

        return null;
    }

    private static bool Holds(int process, string link)
    {
        try
        {
            return Directory.EnumerateFiles($"/proc/{process}/fd").Any(file => LinkTarget(file) == link);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended.
            return false;
        }
    }

    private static string? LinkTarget(string file)
    {
        try
        {
            return new FileInfo(file).LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
