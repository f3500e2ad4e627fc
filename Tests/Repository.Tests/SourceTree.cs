namespace AspireRedis.Repository.Tests;

/// <summary>The files of the working tree that this test was built from, without what a build or a run leaves there.</summary>
internal static class SourceTree
{
    private static readonly string[] s_ignored = ["bin", "obj", "artifacts", "TestResults", "node_modules"];

    /// <summary>The folder with the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Paths relative to <see cref="Root"/>, with forward slashes.</summary>
    public static IEnumerable<string> Files(params string[] extensions)
        => Walk(new DirectoryInfo(Root))
            .Where(file => extensions.Contains(file.Extension))
            .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);

    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder)
        => folder.EnumerateFiles().Concat(folder.EnumerateDirectories()
            .Where(d => !s_ignored.Contains(d.Name) && (d.Name[0] != '.' || d.Name is ".github" or ".devcontainer" or ".ci"))
            .SelectMany(Walk));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "AspireRedis.sln")))
            {
                return folder.FullName;
            }
        }
        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds AspireRedis.sln.");
    }
}
