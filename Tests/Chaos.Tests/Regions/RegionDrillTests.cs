using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Regions;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Regions;
using AspireRedis.Testing;

namespace AspireRedis.Chaos.Tests.Regions;

/// <summary>A short drill; <c>eng/region drill</c> makes long ones.</summary>
public sealed class RegionDrillTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Neither_a_switch_nor_the_loss_of_a_region_loses_an_order_that_the_standby_had_acknowledged()
    {
        var options = new RegionDrillOptions(Promotions: 1, Switches: 1, Rate: 10, TimeSpan.FromMilliseconds(20), Durability.Region,
            Seed: 1, Json: null);
        var result = await RegionDrill.RunAsync(options, _directory.Path, Console.Out, CancellationToken.None);

        Assert.Empty(result.Violations);
        var switched = Assert.Single(result.Switches);
        Assert.Equal(0, switched.Lost);
        var loss = Assert.Single(result.Losses);
        Assert.Equal((0, 0, true), (loss.LostOrders, loss.StaleAccepted, loss.IsBack));
        Assert.True(result.Acknowledged > 30, $"Only {result.Acknowledged} orders were taken.");
        Assert.Contains("\"lost_region_level\": 0", result.Json(options), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_region_sells_that_was_replaced_and_does_not_check_the_permission_is_found()
    {
        var options = new RegionDrillOptions(Promotions: 1, Switches: 0, Rate: 10, TimeSpan.FromMilliseconds(1), Durability.Replica,
            Seed: 1, Json: null)
        {
            WithoutPermissionCheck = true,
        };
        var result = await RegionDrill.RunAsync(options, _directory.Path, Console.Out, CancellationToken.None);

        Assert.True(Assert.Single(result.Losses).StaleAccepted > 0);
        // What was sold twice, or overwritten behind the customer's back, is seen in what is stored too.
        Assert.Contains(result.Violations, v => v.Kind == ViolationKind.LostOrder);
        Assert.False(result.IsGoodAt(Durability.Replica));
    }

    [Fact]
    public async Task A_shop_is_restored_from_a_backup_of_its_standby_into_empty_regions_only_and_fits_together()
    {
        var options = new RegionDrillOptions(Promotions: 0, Switches: 0, Rate: 10, TimeSpan.FromMilliseconds(1), Durability.Replica,
            Seed: 1, Json: null)
        {
            BackupOrders = 200,
        };
        var result = await BackupDrill.RunAsync(options, _directory.Path, Console.Out, CancellationToken.None);

        Assert.Empty(result.Violations);
        Assert.InRange(result.Orders, 200, int.MaxValue);
        Assert.True(result.Keys > result.Orders);
        // What is not whole is refused before anything is asked.
        var file = Path.Combine(_directory.Path, "backup", "dump.rdb");
        await using (var changed = new FileStream(file, FileMode.Open))
        {
            var (at, value) = (changed.Seek(changed.Length / 2, SeekOrigin.Begin), changed.ReadByte());
            changed.Position = at;
            changed.WriteByte((byte)~value);
        }
        var spoiled = await Assert.ThrowsAsync<RegionException>(() => RegionBackup.OpenAsync(Path.Combine(_directory.Path, "backup")));
        Assert.Contains("checksum", spoiled.Message, StringComparison.Ordinal);
    }
}
