using System.Globalization;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class ChildProcessTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Log => Path.Combine(_directory.Path, "log");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Arguments_environment_directory_and_exit_code_arrive()
    {
        using var child = ChildProcess.Start(
            "sh",
            ["-c", "echo \"$1|$COLOUR|${HOME-none}|$PWD|$$\"; echo bad >&2; exit 7", "sh", "a b'\"$x"],
            Log,
            _directory.Path,
            new Dictionary<string, string?> { ["COLOUR"] = "red", ["HOME"] = null });
        await child.WaitForExitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(7, child.ExitCode);
        Assert.Equal($"a b'\"$x|red|none|{_directory.Path}|{child.Id}\nbad\n", child.LogTail());
    }

    [Fact]
    public async Task Stop_ends_one_that_heeds_SIGTERM_even_frozen_and_kills_one_that_does_not()
    {
        using var heeding = ChildProcess.Start("sleep", ["600"], Log);
        heeding.Freeze();
        Assert.True(await heeding.StopAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(128 + 15, heeding.ExitCode);

        using var deaf = ChildProcess.Start("sh", ["-c", "trap '' TERM; echo ready; exec sleep 600"], Log);
        await Eventually.TrueAsync(() => deaf.LogTail().Contains("ready", StringComparison.Ordinal), "the trap is set");
        Assert.False(await deaf.StopAsync(TimeSpan.FromMilliseconds(200)));
        Assert.Equal(128 + 9, deaf.ExitCode);
    }

    [Fact]
    public async Task One_that_ends_while_it_is_killed_or_asked_does_not_hang_the_caller()
    {
        // The end is announced on another thread, inside a lock of Process: this once deadlocked with Kill and HasExited.
        var ending = Task.Run(() => Parallel.For(0, 300, i =>
        {
            using var child = ChildProcess.Start("true", [], Log);
            while (i % 2 == 0 && !child.HasExited)
            {
                Thread.Yield();
            }

            child.Kill();
        }));

        await ending.WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_program_that_does_not_exist_says_so_in_its_log()
    {
        using var child = ChildProcess.Start("/no/such/program", [], Log);
        await child.WaitForExitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(127, child.ExitCode);
        Assert.Contains("/no/such/program", child.LogTail(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_child_of_a_killed_process_dies_too_even_frozen()
    {
        await using var parent = PuppetProcess.Start("child", [Log]);
        await parent.WaitForOutputAsync("holding");
        var child = int.Parse(parent.Output.Trim().Split(' ')[1], CultureInfo.InvariantCulture);
        Assert.True(ProcessTable.Exists(child));

        parent.Kill();

        await Eventually.TrueAsync(() => !ProcessTable.Exists(child), $"child {child} is gone");
    }
}
