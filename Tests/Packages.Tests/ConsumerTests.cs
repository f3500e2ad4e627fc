using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Packages.Tests;

/// <summary>Fresh projects that use the packages as README tells: its code pasted, built without a warning, and run.</summary>
[Collection(PackedPackagesCollection.Name)]
public sealed partial class ConsumerTests(PackedPackages packages, RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task The_library_section_pasted_into_dotnet_new_web_runs()
    {
        var library = Section("## Use the library");
        await DotNet.RunAsync(packages.Projects, "new", "web", "-n", "Api", "--no-restore");
        var project = Path.Combine(packages.Projects, "Api");
        await DotNet.RunAsync(project, "add", "package", "AspireRedis.Client", "--version", packages.Version, "--no-restore");
        await File.WriteAllTextAsync(Path.Combine(project, "Program.cs"), Block(library, "csharp"));
        await File.WriteAllTextAsync(Path.Combine(project, "take-item.lua"), Block(library, "lua"));
        await AddAsync(Path.Combine(project, "Api.csproj"), Block(library, "xml"));

        await DotNet.RunAsync(project, "build", "-c", "Release", "-warnaserror", "--nologo", "-o", Path.Combine(project, "out"));

        var url = $"http://127.0.0.1:{PortAllocator.Next()}";
        await using var api = ServiceProcess.StartDotNet(Path.Combine(project, "out", "Api.dll"), new Dictionary<string, string?>
        {
            ["ConnectionStrings__redis"] = redis.ConnectionString,
            ["ASPNETCORE_URLS"] = url,
        });
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        await Eventually.TrueAsync(async () => (await http.GetAsync("/health")).StatusCode == HttpStatusCode.OK,
            "the application is healthy");

        using var taken = await http.PostAsync("/items/chair/take", null);

        Assert.True(taken.StatusCode == HttpStatusCode.OK, api.Output);
        var answer = await taken.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(9, answer.GetProperty("left").GetInt32());
        // The token of the lease that was acquired is that of the write.
        using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var token = answer.GetProperty("fencingToken").GetInt64();
        Assert.True(token > 0);
        Assert.Equal(token, (long)await connection.GetDatabase().HashGetAsync("item:chair", "fence"));
        await Eventually.TrueAsync(() => api.Output.Contains("chair was taken, 9 left.", StringComparison.Ordinal),
            "the group handles the event");
    }

    [Fact]
    public async Task The_Aspire_section_is_an_AppHost()
    {
        var version = SdkVersion().Match(File.ReadAllText(Path.Combine(Repository.Root, "AppHost", "AppHost.csproj")))
            .Groups["version"].Value;
        var hosting = AspireVersion().Match(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props")))
            .Groups["version"].Value;
        var solution = Directory.CreateDirectory(Path.Combine(packages.Projects, "with-aspire")).FullName;
        await DotNet.RunAsync(solution, "new", "web", "-n", "Api", "--no-restore");
        var project = Directory.CreateDirectory(Path.Combine(solution, "AppHost")).FullName;
        await File.WriteAllTextAsync(Path.Combine(project, "AppHost.cs"), Block(Section("## With Aspire"), "csharp"));
        await File.WriteAllTextAsync(Path.Combine(project, "AppHost.csproj"),
            $"""
            <Project Sdk="Aspire.AppHost.Sdk/{version}">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Aspire.Hosting.AppHost" Version="{hosting}" />
                <PackageReference Include="AspireRedis.Hosting" Version="{packages.Version}" />
                <ProjectReference Include="../Api/Api.csproj" />
              </ItemGroup>
            </Project>
            """);

        var output = await DotNet.RunAsync(project, "build", "-c", "Release", "--nologo");

        Assert.Contains("0 Error(s)", output, StringComparison.Ordinal);
    }

    private static string Section(string heading)
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var start = readme.IndexOf(heading, StringComparison.Ordinal);
        Assert.True(start >= 0, $"README.md has no section '{heading}'.");
        var end = readme.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return readme[start..(end < 0 ? readme.Length : end)];
    }

    /// <summary>The first block of a language.</summary>
    private static string Block(string section, string language)
    {
        var match = Regex.Match(section, $"^```{language}\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline);
        Assert.True(match.Success, $"No {language} in:\n{section}");
        return match.Groups["code"].Value;
    }

    private static async Task AddAsync(string project, string items)
        => await File.WriteAllTextAsync(project, (await File.ReadAllTextAsync(project))
        .Replace("</Project>", $"{items}</Project>", StringComparison.Ordinal));

    [GeneratedRegex("Aspire.AppHost.Sdk/(?<version>[0-9.]+)")]
    private static partial Regex SdkVersion();

    [GeneratedRegex("<AspireVersion>(?<version>[^<]+)<")]
    private static partial Regex AspireVersion();
}
