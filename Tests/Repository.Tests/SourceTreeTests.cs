using System.Text.RegularExpressions;
using Xunit;

namespace AspireRedis.Repository.Tests;

/// <summary>Rules that no compiler checks.</summary>
public sealed partial class SourceTreeTests
{
    private const int MaxColumns = 140;

    // A text that is searched for is not cut in two.
    [Fact]
    public void Lines_of_code_have_at_most_140_columns_unless_a_text_is_in_them()
        => AssertNone(Find([".cs", ".lua"], line => line.Length > MaxColumns && !line.Contains('"', StringComparison.Ordinal)));

    [Fact]
    public void No_file_names_the_host_of_a_package_registry()
        => AssertNone(Find([".cs", ".lua", ".md", ".json", ".mjs", ".xml", ".props", ".targets", ".csproj", ".config", ".yml", ""],
            line => RegistryHost().IsMatch(line)));

    [Fact]
    public void Nothing_is_left_to_do_in_a_comment()
        => AssertNone(Find([".cs", ".lua", ".csproj", ".props", ".targets"], line => LeftToDo().IsMatch(line)));

    [Fact]
    public void Names_of_scripts_outside_of_the_tests_are_unique()
    {
        var paths = SourceTree.Files(".lua").Where(path => !path.StartsWith("Tests/", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(paths);
        AssertNone(paths.GroupBy(Path.GetFileName).Where(same => same.Count() > 1).Select(same => string.Join(" and ", same)));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var projects = SourceTree.Files(".csproj").ToList();
        Assert.NotEmpty(projects);
        var solution = string.Join('\n', SourceTree.Lines("AspireRedis.sln")).Replace('\\', '/');
        AssertNone(projects.Where(path => !solution.Contains($"\"{path}\"", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Find(string[] extensions, Func<string, bool> isWrong)
    {
        var files = SourceTree.Files(extensions).ToList();
        Assert.NotEmpty(files);
        return files.SelectMany(path => SourceTree.Lines(path).Index()
            .Where(line => isWrong(line.Item)).Select(line => $"{path}:{line.Index + 1}"));
    }

    private static void AssertNone(IEnumerable<string> places)
    {
        var found = places.ToList();
        Assert.True(found.Count == 0, $"{found.Count} places:\n{string.Join('\n', found)}");
    }

    [GeneratedRegex(@"nuget\.org|npmjs\.(org|com)|(deb|security)\.debian\.org|(archive|security)\.ubuntu\.com", RegexOptions.IgnoreCase)]
    private static partial Regex RegistryHost();

    [GeneratedRegex(@"\b(TO[D]O|FIX[M]E|X[X]X)\b")]
    private static partial Regex LeftToDo();
}
