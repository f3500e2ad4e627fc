using System.Globalization;
using AspireRedis.Testing;

namespace AspireRedis.Packages.Tests;

/// <summary>
/// The packages of the solution, packed once into a folder that is a package source for projects made beside it. They have a
/// version that no cache knows.
/// </summary>
public sealed class PackedPackages : IAsyncLifetime
{
#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    private readonly TemporaryDirectory _directory = new();

    /// <summary>The version of all of them.</summary>
    public string Version { get; } = $"0.1.0-test.{DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Where the packages are.</summary>
    public string Feed => Path.Combine(_directory.Path, "feed");

    /// <summary>Where projects that use them are made.</summary>
    public string Projects => Path.Combine(_directory.Path, "projects");

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Feed);
        Directory.CreateDirectory(Projects);
        // Built already, with the tests.
        await DotNet.RunAsync(Repository.Root,
            "pack", "AspireRedis.sln", "--no-build", "-c", Configuration, "-o", Feed, $"-p:PackageVersion={Version}", "--nologo");
        // A source beside those of the machine. Our packages stay out of the machine's cache; everything else comes from there.
        var cache = (await DotNet.RunAsync(Projects, "nuget", "locals", "global-packages", "--list", "--force-english-output")).Trim()
            .Split(": ", 2)[1];
        await File.WriteAllTextAsync(Path.Combine(Projects, "NuGet.config"),
            $"""
            <configuration>
              <config>
                <add key="globalPackagesFolder" value="{Path.Combine(_directory.Path, "cache")}" />
              </config>
              <fallbackPackageFolders>
                <add key="machine" value="{cache}" />
              </fallbackPackageFolders>
              <packageSources>
                <add key="packed" value="{Feed}" />
              </packageSources>
            </configuration>
            """);
    }

    public Task DisposeAsync()
    {
        _directory.Dispose();
        return Task.CompletedTask;
    }
}
