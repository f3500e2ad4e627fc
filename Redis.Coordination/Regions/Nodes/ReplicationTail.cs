using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>
/// Commands of a replication stream from a position on, as a server still has them in its backlog: it is asked as a replica would ask
/// (<c>PSYNC</c>). Source: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/.
/// </summary>
internal static class ReplicationTail
{
    // What the servers tell one another, and the permission itself: none of it is the application's.
    private static readonly HashSet<string> s_internal = new(StringComparer.OrdinalIgnoreCase) { "PING", "REPLCONF", "PUBLISH" };
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    /// <summary>Reads commands.</summary>
    /// <param name="server">Who has them.</param>
    /// <param name="id">The replication id.</param>
    /// <param name="from">The position of the first.</param>
    /// <param name="through">The position of the last byte.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="RegionException">The server has them no more.</exception>
    public static async Task<IReadOnlyList<string[]>> ReadAsync(
        NodeLink server, string id, long from, long through, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(s_bound);
        await using var connection = await server.OpenAsync(deadline.Token);
        try
        {
            await connection.Stream.WriteAsync(["PSYNC", id, from], deadline.Token);
            var answer = await connection.Stream.ReadLineAsync(deadline.Token);
            if (!answer.StartsWith("+CONTINUE", StringComparison.Ordinal))
            {
                throw new RegionException($"{server.Name} has its writes from position {from} on no more: {answer}");
            }
            var commands = new List<string[]>();
            var start = connection.Stream.Position;
            while (connection.Stream.Position - start < through - from + 1)
            {
                commands.Add([.. ((object?[])(await connection.Stream.ReadAsync(deadline.Token))!).Cast<string>()]);
            }
            return commands;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{server.Name} did not give its writes from position {from} on within {s_bound.TotalSeconds} s.", e);
        }
    }

    /// <summary>Those that the application has made; SELECT only in front of one.</summary>
    public static IReadOnlyList<string[]> Writes(IEnumerable<string[]> commands)
    {
        var writes = new List<string[]>();
        var open = new List<string[]>();
        foreach (var command in commands)
        {
            if (IsOf(command, "SELECT") || IsOf(command, "MULTI"))
            {
                open.RemoveAll(o => IsOf(o, command[0]));
                open.Add(command);
            }
            else if (IsOf(command, "EXEC"))
            {
                // Of a transaction in which nothing was the application's nothing is left.
                if (open.RemoveAll(static o => IsOf(o, "MULTI")) == 0)
                {
                    writes.Add(command);
                }
            }
            else if (!s_internal.Contains(command[0])
                && !(command.Length > 1 && command[1].StartsWith(Permission.RegionPermit.Key, StringComparison.Ordinal)))
            {
                writes.AddRange(open);
                open.Clear();
                writes.Add(command);
            }
        }
        return writes;
    }

    /// <summary>Makes them again elsewhere.</summary>
    /// <exception cref="RedisServerException">One was refused; those before it are made.</exception>
    public static async Task ReplayAsync(NodeLink primary, IReadOnlyList<string[]> writes, CancellationToken cancellationToken)
    {
        await using var connection = await primary.OpenAsync(cancellationToken);
        foreach (var write in writes)
        {
            await connection.ExecuteAsync(cancellationToken, [.. write]);
        }
    }

    private static bool IsOf(string[] command, string name) => command[0].Equals(name, StringComparison.OrdinalIgnoreCase);
}
