using System.Globalization;
using System.Text;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>What a server has written down, in the order in which it did it: the writes of a script between MULTI and EXEC.</summary>
internal static class AppendOnlyFile
{
    /// <summary>The commands that one script, transaction or command has made, for each of them.</summary>
    /// <param name="directory">That of the server.</param>
    public static IEnumerable<IReadOnlyList<string[]>> ReadSteps(string directory)
    {
        List<string[]>? transaction = null;
        foreach (var command in Directory.EnumerateFiles(directory, "*.incr.aof", SearchOption.AllDirectories).SelectMany(ReadCommands))
        {
            switch (command[0].ToUpperInvariant())
            {
                case "SELECT":
                    break;
                case "MULTI":
                    transaction = [];
                    break;
                case "EXEC":
                    yield return transaction!;
                    transaction = null;
                    break;
                default:
                    if (transaction is null)
                    {
                        yield return [command];
                    }
                    else
                    {
                        transaction.Add(command);
                    }
                    break;
            }
        }
    }

    private static IEnumerable<string[]> ReadCommands(string path)
    {
        // The server goes on writing, and each byte is a character here.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file, Encoding.Latin1);
        while (reader.ReadLine() is { } header)
        {
            var command = new string[int.Parse(header.AsSpan(1), CultureInfo.InvariantCulture)];
            for (var i = 0; i < command.Length; i++)
            {
                if (reader.ReadLine() is not { } length)
                {
                    yield break;
                }
                var text = new char[int.Parse(length.AsSpan(1), CultureInfo.InvariantCulture)];
                if (reader.ReadBlock(text) < text.Length)
                {
                    yield break;
                }
                command[i] = new string(text);
                reader.ReadLine();
            }
            yield return command;
        }
    }
}
