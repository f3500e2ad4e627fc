using System.Text.Json;
using AspireRedis.Coordination.Regions;
using AspireRedis.Regions.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Regions.Tests;

/// <summary>A region that was lost comes back with writes that nobody else has.</summary>
public sealed class FailbackTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    private TwoRegions? _regions;

    private TwoRegions Regions => _regions!;

    public async Task InitializeAsync() => _regions = await TwoRegions.StartAsync();

    public async Task DisposeAsync() => await Regions.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_only_the_lost_region_has_is_in_the_file_before_it_is_overwritten(bool isKilled)
    {
        var agent = await Regions.StartAgentAsync(TwoRegions.A);
        await Regions.StartAgentAsync(TwoRegions.B);
        await Regions.UntilAttachedAsync();
        var a = await Regions.ConnectAsync(TwoRegions.A);
        var b = await Regions.ConnectAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => a.WriteAsync(), "A accepts writes", s_bound);
        await a.WriteAsync(100);
        await Eventually.TrueAsync(async () => (await Regions.NumbersAsync(TwoRegions.B)).Length == a.Acknowledged.Count, "B has them");
        var operation = Regions.CreateOperator(TwoRegions.B);
        Assert.Contains("active one", (await RefusedAsync("a")).Message, StringComparison.Ordinal);
        Assert.Contains("standby already", (await RefusedAsync("b")).Message, StringComparison.Ordinal);

        // The line is cut, and A goes on under its permission. Then all of A is gone.
        Regions.CutWayTo(TwoRegions.A, true);
        var before = a.Acknowledged;
        await a.WriteAsync(52);
        var divergent = a.Acknowledged.Except(before).Order(StringComparer.Ordinal).ToArray();
        if (isKilled)
        {
            // While a disk is slow, which it is asked once a second, the server keeps for two seconds what it has not given to the system.
            await Eventually.TrueAsync(
                async () => ((string)(await Regions.ExecuteAsync(
                    TwoRegions.A, Regions[TwoRegions.A].Topology.Primary, "INFO", "persistence"))!)
                    .Contains("aof_buffer_length:0\r", StringComparison.Ordinal),
                "all is in the append-only file", s_bound);
            Regions.Kill(TwoRegions.A);
        }
        else
        {
            Regions.Freeze(TwoRegions.A);
        }
        await Eventually.TrueAsync(async () => (await operation.StatusAsync()).LeaseHolder is null, "the lease of A is over", s_bound);
        await operation.PromoteAsync(TwoRegions.B);
        await Eventually.HoldsAsync(() => b.WriteAsync(), "B accepts writes", s_bound);
        await b.WriteAsync(20);

        Regions.CutWayTo(TwoRegions.A, false);
        if (isKilled)
        {
            await Regions.ReviveAsync(TwoRegions.A);
        }
        else
        {
            Regions.Thaw(TwoRegions.A);
        }
        await Eventually.TrueAsync(() => agent.Attention is not null, "A waits for a person", s_bound);
        Assert.Empty(divergent.Except(await Regions.NumbersAsync(TwoRegions.A)));
        using var folder = new TemporaryDirectory();
        var file = Path.Combine(folder.Path, "lost.ndjson");
        await File.WriteAllTextAsync(file, "writes of an earlier loss");
        Assert.Contains("exists", (await Assert.ThrowsAsync<RegionException>(() => operation.FailbackAsync(TwoRegions.A, file))).Message,
            StringComparison.Ordinal);
        File.Delete(file);
        var result = await operation.FailbackAsync(TwoRegions.A, file);

        var lines = await File.ReadAllLinesAsync(file);
        var commands = lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("command").EnumerateArray()
            .Select(e => e.GetString()!).ToArray()).ToList();
        Assert.True(result.IsExact);
        Assert.Equal(commands.Count, result.Writes);
        var inFile = commands.Where(c => c[0] == "RPUSH").Select(c => c[2]).ToArray();
        Assert.Empty(divergent.Except(inFile));
        // No more than what was written behind the last mark that came over.
        Assert.InRange(inFile.Length, divergent.Length, divergent.Length + (isKilled ? 101 : 0));
        await Regions.UntilAttachedAsync(active: TwoRegions.B, standby: TwoRegions.A);
        Assert.Equal(await Regions.NumbersAsync(TwoRegions.B), await Regions.NumbersAsync(TwoRegions.A));
        Assert.Empty(b.Acknowledged.Except(await Regions.NumbersAsync(TwoRegions.B)));
        await Eventually.TrueAsync(() => agent.Attention is null, "nothing is left to do");

        Task<RegionException> RefusedAsync(string region)
            => Assert.ThrowsAsync<RegionException>(() => operation.FailbackAsync(region, "/dev/null"));
    }
}
