using System.Diagnostics;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>What somebody sees whose machine or settings cannot run the AppHost.</summary>
public sealed class StartErrorTests
{
    [Theory]
    [InlineData("redis-server was not found on PATH", "start a container engine, Docker or Podman.")]
    [InlineData("redis-server was not found on PATH", "set Redis:Mode to auto and start a container engine.", "--Redis:Mode=executable")]
    [InlineData("Redis:Topology is 'ring'; it must be sentinel, single or cluster.", "", "--no-dashboard", "--Redis:Topology=ring")]
    public async Task It_is_one_line_without_a_stack_trace(string beginning, string ending, params string[] arguments)
    {
        using var empty = new TemporaryDirectory();
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [BuiltProject.Path("AppHost"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Neither redis-server nor the client of a container engine.
        start.Environment["PATH"] = empty.Path;
        start.Environment.Remove("REDIS_SERVER");
        using var process = Process.Start(start)!;
        using var bound = new CancellationTokenSource(StartedAppHost.Bound);
        var error = process.StandardError.ReadToEndAsync(bound.Token);
        var output = process.StandardOutput.ReadToEndAsync(bound.Token);
        await process.WaitForExitAsync(bound.Token);

        Assert.Equal(1, process.ExitCode);
        var line = Assert.Single((await output + await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"AppHost: error: {beginning}", line, StringComparison.Ordinal);
        Assert.EndsWith(ending, line, StringComparison.Ordinal);
    }
}
