namespace AspireRedis.Testing;

/// <summary>Where the working tree is that this test was built from.</summary>
public static class Repository
{
    private const string Solution = "AspireRedis.sln";

    private static readonly Lazy<string> s_found = new(() =>
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, Solution)))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds {Solution}: run the tests from their build output.");
    });

    /// <summary>The folder that holds the solution.</summary>
    public static string Root => s_found.Value;
}
