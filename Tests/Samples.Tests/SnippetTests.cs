using System.Text;
using System.Text.RegularExpressions;
using AspireRedis.Testing;

namespace AspireRedis.Samples.Tests;

/// <summary>
/// The code in the Markdown files is that of the samples and of the folder Snippets, which are compiled and, the samples,
/// run: a block is a whole file or a <c>#region</c> of one, whatever its indentation.
/// </summary>
public sealed partial class SnippetTests
{
    private static readonly string[] s_sources = ["samples", "Tests/Samples.Tests/Snippets"];

    public static TheoryData<string> MarkdownFiles()
    {
        var files = new TheoryData<string>();
        foreach (var file in Markdown())
        {
            files.Add(Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'));
        }
        return files;
    }

    [Theory]
    [MemberData(nameof(MarkdownFiles))]
    public void Code_in_a_document_is_code_that_is_compiled(string document)
    {
        var compiled = Compiled().ToHashSet(StringComparer.Ordinal);

        foreach (Match block in Block().Matches(File.ReadAllText(Path.Combine(Repository.Root, document))))
        {
            var code = Normalised(block.Groups["code"].Value.Split('\n'));
            Assert.True(compiled.Contains(code), $"{document}: no file and no region in {string.Join(", ", s_sources)} is\n{code}");
        }
    }

    [Fact]
    public void Every_region_is_shown_somewhere()
    {
        var shown = Markdown().SelectMany(f => Block().Matches(File.ReadAllText(f)))
            .Select(b => Normalised(b.Groups["code"].Value.Split('\n'))).ToHashSet(StringComparer.Ordinal);

        Assert.All(Sources("*.cs").SelectMany(Regions), region => Assert.Contains(region, shown));
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("Redis.Coordination/README.md")]
    [InlineData("Redis.Client/README.md")]
    [InlineData("Redis.Hosting/README.md")]
    [InlineData("Redis.Topology/README.md")]
    public void The_read_me_has_code(string document)
        => Assert.NotEmpty(Block().Matches(File.ReadAllText(Path.Combine(Repository.Root, document))));

    private static IEnumerable<string> Markdown()
        => Directory.EnumerateFiles(Repository.Root, "README.md")
            .Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateDirectories(Repository.Root, "Redis.*").Select(d => Path.Combine(d, "README.md")).Where(File.Exists))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Compiled()
        => Sources("*.cs").SelectMany(file => Regions(file).Append(Normalised(File.ReadAllLines(file))))
            .Concat(Sources("*.lua").Select(file => Normalised(File.ReadAllLines(file))));

    private static IEnumerable<string> Sources(string pattern)
        => s_sources
            .SelectMany(folder => Directory.EnumerateFiles(
                Path.Combine(Repository.Root, folder), pattern, SearchOption.AllDirectories))
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"));

    private static IEnumerable<string> Regions(string file)
    {
        List<string>? region = null;
        foreach (var line in File.ReadLines(file))
        {
            switch (line.Trim())
            {
                case "#endregion":
                    yield return Normalised(region ?? throw new InvalidOperationException($"{file}: #endregion without a #region."));
                    region = null;
                    break;
                case var start when start.StartsWith("#region", StringComparison.Ordinal):
                    region = [];
                    break;
                default:
                    region?.Add(line);
                    break;
            }
        }
    }

    /// <summary>Without the indentation that all lines share, and without empty lines at both ends.</summary>
    private static string Normalised(IReadOnlyList<string> lines)
    {
        var indentation = lines.Where(l => l.Trim().Length > 0).Select(l => l.Length - l.TrimStart().Length).DefaultIfEmpty(0).Min();
        var text = new StringBuilder();
        foreach (var line in lines)
        {
            text.Append(line.Trim().Length == 0 ? "" : line[indentation..].TrimEnd()).Append('\n');
        }
        return text.ToString().Trim('\n');
    }

    [GeneratedRegex("^[ ]*```(csharp|cs|lua)\n(?<code>.*?)^[ ]*```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
