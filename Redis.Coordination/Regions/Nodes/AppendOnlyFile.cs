using System.Globalization;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>
/// Reads the writes in a server's append-only file, in parts as Redis 7 keeps it: a base, which is a snapshot, and what was written
/// since. Source: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/.
/// </summary>
internal static class AppendOnlyFile
{
    /// <summary>The writes behind a mark.</summary>
    /// <param name="directory">That of the file and its manifest.</param>
    /// <param name="name">Its name, as <c>appendfilename</c> says.</param>
    /// <param name="isMark">Whether a command is the mark.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The commands, and whether the mark was found: if not, all there are.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static async Task<(IReadOnlyList<string[]> Commands, bool IsExact)> ReadAsync(
        string directory, string name, Func<string[], bool> isMark, CancellationToken cancellationToken)
    {
        var parts = (await File.ReadAllLinesAsync(Path.Combine(directory, $"{name}.manifest"), cancellationToken))
            // file appendonly.aof.1.incr.aof seq 1 type i
            .Select(line => line.Split(' ')).Where(f => f is ["file", _, "seq", _, "type", "i", ..])
            .OrderBy(f => long.Parse(f[3], CultureInfo.InvariantCulture)).Select(f => Path.Combine(directory, f[1]));
        var commands = new List<string[]>();
        var isExact = false;
        foreach (var part in parts)
        {
            await using var file = new RespStream(
                new FileStream(part, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 4096, useAsync: true));
            while (await NextAsync(file, cancellationToken) is { } command)
            {
                if (isMark(command))
                {
                    commands.Clear();
                    isExact = true;
                }
                else
                {
                    commands.Add(command);
                }
            }
        }
        return (commands, isExact);
    }

    private static async Task<string[]?> NextAsync(RespStream file, CancellationToken cancellationToken)
    {
        try
        {
            return [.. ((object?[])(await file.ReadAsync(cancellationToken))!).Cast<string>()];
        }
        catch (IOException)
        {
            // The end, in the middle of a command if the server died in it.
            return null;
        }
    }
}
