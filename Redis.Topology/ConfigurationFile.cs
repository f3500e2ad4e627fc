using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>Writes the configuration file of a node, once.</summary>
internal static class ConfigurationFile
{
    /// <summary>Creates the directory of a node and its configuration file, if that does not exist yet.</summary>
    /// <param name="node">The node.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <param name="textFor">Gives the text from the node's directory.</param>
    /// <exception cref="InvalidOperationException">The file exists and is for another port.</exception>
    /// <exception cref="IOException">The directory or file cannot be written.</exception>
    public static void Write(RedisNode node, string root, Func<string, string> textFor)
    {
        var directory = RedisTopology.DirectoryOf(node, root);
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
        }
        else
        {
            // The file may hold a password, and Redis rewrites it with the default mode.
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var path = RedisTopology.ConfigurationPath(node, root);
        if (File.Exists(path))
        {
            var port = string.Create(CultureInfo.InvariantCulture, $"port {node.Port}");
            if (!File.ReadLines(path).Contains(port))
            {
                throw new InvalidOperationException(
                    $"{path} was written for another port than {node.Name}'s {node.Port}. Use the same ports as before, or delete the directory.");
            }

            return;
        }

        // Never a half-written file under the final name.
        var temporary = path + ".new";
        File.WriteAllText(temporary, textFor(directory));
        File.Move(temporary, path);
    }
}
