using System.Globalization;

namespace AspireRedis.Testing.Network;

/// <summary>Which processes local TCP connections belong to, from <c>/proc</c>. Linux only.</summary>
internal static class SocketOwner
{
    private const string SocketLink = "socket:[";

    private static readonly string[] s_tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>The processes among <paramref name="candidates"/> that have connected from one loopback port to another.</summary>
    /// <param name="connections">From which port to which.</param>
    /// <param name="candidates">Ids of processes.</param>
    /// <returns>By connection; without those that none of them has made, or has closed meanwhile.</returns>
    public static Dictionary<(int From, int To), int> Find(IReadOnlySet<(int From, int To)> connections, IEnumerable<int> candidates)
    {
        var wanted = new Dictionary<string, (int From, int To)>();
        foreach (var table in s_tables.Where(File.Exists))
        {
            foreach (var line in File.ReadLines(table).Skip(1))
            {
                // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode: an address is
                // hexadecimal, and at loopback one connection lies between two ports.
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 9 && connections.Contains((Port(fields[1]), Port(fields[2]))))
                {
                    wanted.TryAdd($"{SocketLink}{fields[9]}]", (Port(fields[1]), Port(fields[2])));
                }
            }
        }

        var owners = new Dictionary<(int From, int To), int>();
        foreach (var process in candidates)
        {
            foreach (var link in OpenSockets(process))
            {
                if (wanted.TryGetValue(link, out var connection))
                {
                    owners[connection] = process;
                }
            }
        }

        return owners;
    }

    private static int Port(string address) => int.Parse(address.AsSpan(address.IndexOf(':', StringComparison.Ordinal) + 1),
        NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static IEnumerable<string> OpenSockets(int process)
    {
        string[] files;
        try
        {
            files = Directory.GetFiles($"/proc/{process}/fd");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended.
            yield break;
        }

        foreach (var file in files)
        {
            string? link;
            try
            {
                link = new FileInfo(file).LinkTarget;
            }
            catch (IOException)
            {
                // Closed.
                continue;
            }

            if (link is not null && link.StartsWith(SocketLink, StringComparison.Ordinal))
            {
                yield return link;
            }
        }
    }
}
