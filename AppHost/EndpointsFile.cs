namespace AspireRedis.AppHost;

/// <summary>
/// The file through which <c>./run</c>, and scripts beside it, learn where everything is: <c>NAME=value</c> lines, there
/// from when the system is healthy until it stops.
/// </summary>
internal static class EndpointsFile
{
    public static void Write(string path, IEnumerable<(string Name, string Value)> endpoints)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        // Readers wait for the file, so it appears whole.
        var temporary = path + ".new";
        File.WriteAllLines(temporary, endpoints.Select(e => $"{e.Name}={Quote(e.Value)}"));
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>As a shell reads it: a folder's name may have spaces.</summary>
    private static string Quote(string value)
        => value.All(c => char.IsAsciiLetterOrDigit(c) || "_-./:,@%+=".Contains(c, StringComparison.Ordinal))
            ? value
            : $"'{value.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
