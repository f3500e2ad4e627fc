using AspireRedis.LocalServers;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

/// <summary>Two regions of real servers, without an agent.</summary>
public sealed class LocalRegionsTests(RegionsFixture fixture) : IClassFixture<RegionsFixture>
{
    private LocalRegions Regions => fixture.Regions;

    private RedisProcess Head => Regions.Standby[Regions.Standby.Topology.Primary];

    [Fact]
    public async Task What_is_written_in_the_active_region_arrives_at_the_end_of_the_chain_once_the_link_is_whole()
    {
        var primary = Regions.Active[Regions.Active.Topology.Primary];
        var last = Regions.Standby[Regions.Standby.Topology.Replicas[0]];
        await primary.ExecuteAsync(default, "SET", "key", "1");
        await Eventually.TrueAsync(async () => await last.ExecuteAsync(default, "GET", "key") is "1", "it has arrived");

        Regions.Link.Cut();
        await primary.ExecuteAsync(default, "SET", "key", "2");
        await Task.Delay(500);
        Assert.Equal("1", await last.ExecuteAsync(default, "GET", "key"));
        Regions.Link.Heal();
        await Eventually.TrueAsync(async () => await last.ExecuteAsync(default, "GET", "key") is "2", "it has arrived");
        await Regions.Standby.WaitUntilCompleteAsync();
    }

    [Theory]
    [InlineData(true, RedisRegionUsers.Sentinel, "WRONGPASS")]
    [InlineData(true, RedisRegionUsers.Control, "WRONGPASS")]
    [InlineData(false, RedisRegionUsers.Application, "NOPERM")]
    [InlineData(false, RedisRegionUsers.Replication, "NOPERM")]
    [InlineData(false, null, "NOAUTH")]
    public async Task Nobody_but_who_administers_its_own_region_makes_the_head_a_primary(bool ofTheOther, string? user, string error)
    {
        var users = (ofTheOther ? Regions.Active : Regions.Standby).Topology.Options.Users!;
        var login = user is null ? null : new RedisLogin(user, users.PasswordOf(user));
        var refused = await Assert.ThrowsAsync<RespErrorException>(
            () => RespConnection.OnceAsync(Head.Node.Address, login, default, "REPLICAOF", "NO", "ONE"));
        Assert.StartsWith(error, refused.Message, StringComparison.Ordinal);
    }
}

/// <summary>Two regions for one class.</summary>
public sealed class RegionsFixture : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private LocalRegions? _regions;

    public LocalRegions Regions => _regions!;

    public async Task InitializeAsync()
        => _regions = await LocalRegions.StartAsync(_directory.Path, latency: TimeSpan.FromMilliseconds(20));

    public async Task DisposeAsync()
    {
        if (_regions is not null)
        {
            await _regions.DisposeAsync();
        }
        _directory.Dispose();
    }
}

/// <summary>A failover in the active region, after which its standby follows nobody until somebody tells it.</summary>
public sealed class RegionFailoverTests(RegionsFixture fixture) : IClassFixture<RegionsFixture>
{
    private LocalRegions Regions => fixture.Regions;

    private RedisProcess Head => Regions.Standby[Regions.Standby.Topology.Primary];

    [Fact]
    public async Task The_active_region_fails_over_with_its_own_users_and_its_Sentinels_are_not_let_in_at_the_head()
    {
        var (active, standby) = (Regions.Active, Regions.Standby);
        // It is in their INFO within 10 s, and from then on they try.
        await Eventually.TrueAsync(
            async () => ((object?[])(await active[active.Topology.Sentinels[0]].ExecuteAsync(default, "SENTINEL", "REPLICAS", "us"))!)
                .Cast<object?[]>().Any(r => r.Contains($"{Head.Node.Address}")),
            "the active region's Sentinels have found the head");
        await Eventually.TrueAsync(
            async () => ((object?[])(await Head.ExecuteAsync(default, "ACL", "LOG"))!)
                .Cast<object?[]>().Any(e => e.Contains("auth") && e.Contains("sentinel")),
            "they were refused");

        var first = await active.CurrentPrimaryAsync();
        active[first].Kill();
        await active.WaitForPrimaryOtherThanAsync(first);
        await active[first].StartAsync();
        await active.WaitUntilCompleteAsync();
        // Nobody has told the head whom to follow now, and nobody of the other region could.
        Assert.Equal("slave", ((object?[])(await Head.ExecuteAsync(default, "ROLE"))!)[0]);
        Assert.True(await new RedisTopologyProbe(standby.Topology).IsStandbyAsync());
    }
}
