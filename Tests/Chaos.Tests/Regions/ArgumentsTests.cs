using AspireRedis.Chaos.Regions;
using AspireRedis.Coordination;
using AspireRedis.Regions.Cli;

namespace AspireRedis.Chaos.Tests.Regions;

/// <summary>Command lines of <c>eng/region</c>.</summary>
public sealed class ArgumentsTests
{
    [Fact]
    public void What_is_asked_for_is_understood()
    {
        var promote = Arguments.Parse(["promote", "eu", "--yes", "--json", "--config", "x.json"]);
        Assert.Equal(("promote", "eu", true, true, false, "x.json"), (promote.Command, promote.Region, promote.IsJson, promote.IsConfirmed,
            promote.AcceptsLoss, promote.Configuration));
        var failback = Arguments.Parse(["failback", "--file", "lost.ndjson", "--aof", "/data"]);
        Assert.Equal((null, "lost.ndjson", "/data"), (failback.Region, failback.File, failback.AppendOnlyDirectory));
        var backup = Arguments.Parse(["backup", "--region", "eu", "--to", "copy"]);
        Assert.Equal(("eu", "copy"), (backup.Region, backup.Directory));
        var drill = RegionDrillOptions.Parse(
            ["--promotions", "20", "--switches", "10", "--rate", "100", "--latency", "80", "--durability", "region", "--seed", "1"]);
        Assert.Equal(new RegionDrillOptions(20, 10, 100, TimeSpan.FromMilliseconds(80), Durability.Region, 1, null), drill);
    }

    [Theory]
    [InlineData("A command is missing")]
    [InlineData("There is no command 'demote'", "demote")]
    [InlineData("status has no option '--yes'", "status", "--yes")]
    [InlineData("switch has no option '--accept-loss'", "switch", "--accept-loss")]
    [InlineData("'us' has no place", "promote", "eu", "us")]
    [InlineData("--config needs a value", "status", "--config")]
    [InlineData("failback needs --file", "failback", "eu")]
    [InlineData("backup needs --to", "backup", "eu")]
    [InlineData("restore needs --from", "restore")]
    [InlineData("'eu' has no place", "restore", "eu", "--from", "copy")]
    public async Task What_cannot_be_understood_is_named_and_nothing_is_asked(string message, params string[] arguments)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        Assert.Equal(ExitCode.Usage, await RegionTool.RunAsync(arguments, TextReader.Null, output, progress, CancellationToken.None));
        Assert.Contains(message, progress.ToString(), StringComparison.Ordinal);
        Assert.Empty(output.ToString());
    }

    [Theory]
    [InlineData("--promotions is missing")]
    [InlineData("--promotions must be a number", "--promotions", "-1")]
    [InlineData("--durability must be region, replica or memory", "--promotions", "1", "--durability", "fsync")]
    [InlineData("--json: the folder", "--promotions", "1", "--json", "/no/such/folder/file")]
    [InlineData("There is no option '--what'", "--what", "1")]
    [InlineData("--backup-orders goes with neither", "--backup-orders", "100", "--promotions", "1")]
    public void What_a_drill_cannot_do_is_named(string message, params string[] arguments)
        => Assert.Contains(message, Assert.Throws<ArgumentException>(() => RegionDrillOptions.Parse(arguments)).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task A_system_that_does_not_run_is_said_so()
    {
        using var progress = new StringWriter();
        Assert.Equal(ExitCode.Usage, await RegionTool.RunAsync(["status", "--config", "/no/such/file"], TextReader.Null, TextWriter.Null,
            progress, CancellationToken.None));
        Assert.Contains("./run --regions", progress.ToString(), StringComparison.Ordinal);
    }
}
