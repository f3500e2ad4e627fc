using System.IO.Compression;
using System.Xml.Linq;
using AspireRedis.Testing;

namespace AspireRedis.Packages.Tests;

/// <summary>What <c>dotnet pack</c> makes of the solution.</summary>
[Collection(PackedPackagesCollection.Name)]
public sealed class PackageTests(PackedPackages packages)
{
    private static readonly string[] s_packages = ["AspireRedis.Client", "AspireRedis.Coordination", "AspireRedis.Hosting",
        "AspireRedis.Topology"];

    [Fact]
    public void These_and_no_others_are_packed_with_their_symbols()
        => Assert.Equal(
            s_packages.SelectMany(p => new[] { $"{p}.{packages.Version}.nupkg", $"{p}.{packages.Version}.snupkg" }),
            Directory.EnumerateFiles(packages.Feed).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("AspireRedis.Client", "Redis.Client")]
    [InlineData("AspireRedis.Coordination", "Redis.Coordination")]
    [InlineData("AspireRedis.Hosting", "Redis.Hosting")]
    [InlineData("AspireRedis.Topology", "Redis.Topology")]
    public void A_package_says_what_it_is(string package, string folder)
    {
        using var zip = ZipFile.OpenRead(Path.Combine(packages.Feed, $"{package}.{packages.Version}.nupkg"));
        using var nuspec = zip.GetEntry($"{package}.nuspec")!.Open();
        var metadata = XDocument.Load(nuspec).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
        string Of(string name) => metadata.Elements().Single(e => e.Name.LocalName == name).Value;

        Assert.Equal("MIT", Of("license"));
        Assert.Equal("README.md", Of("readme"));
        Assert.True(Of("description").Length > 60);
        Assert.Contains("redis", Of("tags").Split(' '));
        Assert.NotNull(zip.GetEntry($"lib/net10.0/{package}.dll"));
        Assert.NotNull(zip.GetEntry($"lib/net10.0/{package}.xml"));
        using var readme = new StreamReader(zip.GetEntry("README.md")!.Open());
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, folder, "README.md")), readme.ReadToEnd());
        // What it needs of ours has its own version exactly, for it uses what is internal there; and nobody gets the analyzer of
        // this repository.
        var dependencies = metadata.Descendants().Where(e => e.Name.LocalName == "dependency").ToList();
        Assert.All(dependencies.Where(d => s_packages.Contains(d.Attribute("id")!.Value)),
            d => Assert.Equal($"[{packages.Version}]", d.Attribute("version")!.Value));
        Assert.DoesNotContain(dependencies, d => d.Attribute("id")!.Value.Contains("Analyzers", StringComparison.Ordinal));
    }
}
