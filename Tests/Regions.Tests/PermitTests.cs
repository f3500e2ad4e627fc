using System.Diagnostics;
using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Regions.Tests;

/// <summary>What one server does with the permission; nobody renews it here.</summary>
public sealed partial class PermitTests : IAsyncLifetime
{
    private static readonly RedisScript s_add = RedisScript.Load<PermitTests>("add");
    private static readonly RedisScript s_slow = RedisScript.Load<PermitTests>("slow");
    private static readonly PermitWriter s_permits = new(TimeProvider.System);

    private OwnServers? _servers;
    private RegionMonitor? _monitor;
    private RedisDeployment? _redis;
    private NodeLink? _link;

    private RegionMonitor Monitor => _monitor!;

    private RedisDeployment Redis => _redis!;

    public async Task InitializeAsync()
    {
        _servers = await OwnServers.StartAsync();
        _monitor = new RegionMonitor(OptionsOf("a"));
        _redis = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(_servers.ConnectionString), region: _monitor);
        var options = ConfigurationOptions.Parse(_servers.ConnectionString);
        _link = new NodeLink(options.EndPoints[0], options.EndPoints[0], options, TimeSpan.FromSeconds(1));
    }

    public async Task DisposeAsync()
    {
        await _link!.DisposeAsync();
        await Redis.DisposeAsync();
        await Monitor.DisposeAsync();
        await _servers!.DisposeAsync();
    }

    [Fact]
    public async Task Without_a_permission_nothing_is_written()
    {
        var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(Redis));
        Assert.Equal("a", refused.Region);
        Assert.Null(refused.ActiveRegion);
        Assert.Equal(0, await LengthAsync());
        Assert.Equal(RedisFailureKind.Final, RedisFailure.Of(refused));
    }

    [Fact]
    public async Task Every_way_to_write_is_checked()
    {
        await GrantAsync("a", 1, TimeSpan.FromMilliseconds(1));
        await Eventually.TrueAsync(async () => await PermitAsync() is null, "the permission is over");
        await using var writer = new DurableWriter(Redis, Options.Create(new DurableWriterOptions()));
        await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(Redis));
        await Assert.ThrowsAsync<RegionNotActiveException>(
            () => writer.EvaluateAsync(s_add, ["list"], ["x"], Durability.Replica, CancellationToken.None));
        var producer = new StreamProducer(Redis, TimeProvider.System);
        var topic = new StreamTopic<Note>("notes", "note", 1, NoteJson.Default.Note);
        await Assert.ThrowsAsync<RegionNotActiveException>(() => producer.AppendAsync(topic, new Note("one")));
        await Assert.ThrowsAsync<RegionNotActiveException>(() => producer.AppendAsync(topic, [new Note("one"), new Note("two")]));
        var leases = new RedisLeaseProvider(Redis, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
        await Assert.ThrowsAsync<RegionNotActiveException>(
            () => leases.TryAcquireAsync("lease", new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        Assert.Equal([RegionPermit.LastKey], await KeysAsync());
    }

    [Fact]
    public async Task A_permission_lets_its_region_write_until_its_end_and_no_longer()
    {
        var end = Stopwatch.StartNew();
        await GrantAsync("a", 7, TimeSpan.FromMilliseconds(600));
        var accepted = TimeSpan.Zero;
        RegionNotActiveException? refused = null;
        while (refused is null && end.Elapsed < TimeSpan.FromSeconds(5))
        {
            try
            {
                await AddAsync(Redis);
                accepted = end.Elapsed;
            }
            catch (RegionNotActiveException e)
            {
                refused = e;
            }
            catch (RedisOutcomeUnknownException)
            {
                // At the very end: it was written, and nothing says that the permission outlasted it.
            }
        }
        Assert.Equal(("a", 7L), (refused!.ActiveRegion, refused.Epoch));
        Assert.InRange(accepted.TotalMilliseconds, 100, 605);
    }

    [Fact]
    public async Task The_permission_of_one_region_is_none_for_the_other()
    {
        await GrantAsync("a", 7, TimeSpan.FromSeconds(60));
        await AddAsync(Redis);
        // As a standby has it from the replication stream, promoted while it lives.
        await using var monitor = new RegionMonitor(OptionsOf("b"));
        await using var other = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(_servers!.ConnectionString), region: monitor);
        var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(other));
        Assert.Equal(("b", "a", 7L), (refused.Region, refused.ActiveRegion, refused.Epoch));
        // And where the client does not know yet: the server decides.
        var script = s_add.Guarded(monitor.Guard);
        var error = await Assert.ThrowsAsync<RedisServerException>(() => script.SendTextAsync(Redis.Database, ["list"], ["x"]));
        Assert.Equal("REGION a 7", error.Message);
        Assert.Equal(1, await LengthAsync());
    }

    [Fact]
    public async Task A_smaller_epoch_grants_nothing_once_there_was_a_larger_one()
    {
        Assert.Null(await GrantAsync("b", 8, TimeSpan.FromMilliseconds(1)));
        Assert.Equal(new RegionPermit("b", 8), await GrantAsync("a", 7, TimeSpan.FromSeconds(60)));
        var refused = await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(Redis));
        Assert.Equal(("b", 8L), (refused.ActiveRegion, refused.Epoch));
        Assert.Null(await GrantAsync("a", 9, TimeSpan.FromSeconds(60)));
        await Eventually.HoldsAsync(() => AddAsync(Redis), "the region writes again");
    }

    [Fact]
    public async Task A_standby_that_was_promoted_takes_writes_before_it_would_have_looked_by_itself()
    {
        var options = OptionsOf("a");
        options.Interval = TimeSpan.FromSeconds(6);
        await using var monitor = new RegionMonitor(options);
        await using var redis = await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(_servers!.ConnectionString), region: monitor);
        Assert.Null(await GrantAsync("b", 7, TimeSpan.FromMilliseconds(1)));
        await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(redis));

        Assert.Null(await GrantAsync("a", 8, TimeSpan.FromSeconds(60)));

        await Eventually.HoldsAsync(() => AddAsync(redis), "the region writes", TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task What_was_queued_behind_a_freeze_is_refused_and_a_queued_renewal_revives_nothing()
    {
        await GrantAsync("a", 7, TimeSpan.FromMilliseconds(700));
        await AddAsync(Redis);
        _servers!.Server.Freeze();
        // Both lie in the socket while the permission ends.
        var write = s_add.Guarded(Monitor.Guard).SendTextAsync(Redis.Database, ["list"], ["late"]);
        var renewal = GrantAsync("a", 7, TimeSpan.FromMilliseconds(600));
        await Task.Delay(TimeSpan.FromSeconds(1));
        _servers.Server.Thaw();
        await Assert.ThrowsAsync<RedisServerException>(() => write);
        // The link has given up.
        await Assert.ThrowsAsync<TimeoutException>(() => renewal);
        await Assert.ThrowsAsync<RegionNotActiveException>(() => AddAsync(Redis));
        Assert.Equal(1, await LengthAsync());
        Assert.Null(await PermitAsync());
    }

    [Fact]
    public async Task A_write_that_was_frozen_in_the_middle_of_its_script_is_not_acknowledged_after_the_permission_was_over()
    {
        // How much is half a second of this machine's?
        const int Steps = 1_000_000;
        await s_slow.SendTextAsync(Redis.Database, ["warm", "begun"], [Steps]);
        var begin = Stopwatch.GetTimestamp();
        await s_slow.SendTextAsync(Redis.Database, ["warm", "begun"], [Steps]);
        var steps = (long)(Steps * 500 / Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
        await GrantAsync("a", 7, TimeSpan.FromMilliseconds(1500));
        await AddAsync(Redis);
        // The server answers nobody meanwhile.
        var write = Redis.EvaluateAsync(s_slow, ["slow", "begun"], [steps]);
        await Task.Delay(50);
        _servers!.Server.Freeze();
        await Task.Delay(TimeSpan.FromSeconds(2));
        _servers.Server.Thaw();
        var unknown = await Assert.ThrowsAsync<RedisOutcomeUnknownException>(() => write);
        Assert.IsType<RegionNotActiveException>(unknown.InnerException);
        // It has landed: that is what the exception is for.
        Assert.True(await Redis.Database.KeyExistsAsync("slow"));
    }

    [Fact]
    public async Task Without_regions_a_script_is_sent_as_it_is()
    {
        await using var plain = await RedisDeployment.ConnectAsync(_servers!.ConnectionString);
        Assert.Equal(1, (int)await plain.EvaluateAsync(s_add, ["list"], ["x"]));
        Assert.Same(s_add, plain.Shards[0].Guarded(s_add));
        Assert.NotEqual(s_add.Hash, Redis.Shards[0].Guarded(s_add).Hash);
    }

    private RegionOptions OptionsOf(string region) => new()
    {
        Name = region,
        Interval = TimeSpan.FromMilliseconds(50),
        Regions =
        {
            new RegionDefinition
            {
                Name = region,
                // There is none; the monitor asks servers only.
                ConnectionString = "127.0.0.1:1,serviceName=none",
                Servers = _servers!.ConnectionString,
            },
        },
    };

    private Task<RegionPermit?> GrantAsync(string region, long epoch, TimeSpan validity)
        => s_permits.GrantAsync(_link!, new RegionPermit(region, epoch),
            TimeProvider.System.GetTimestamp() + (long)(validity.TotalSeconds * Stopwatch.Frequency), CancellationToken.None);

    private static Task<RedisResult> AddAsync(RedisDeployment redis) => redis.EvaluateAsync(s_add, ["list"], ["x"]);

    private Task<long> LengthAsync() => Redis.Database.ListLengthAsync("list");

    private async Task<string?> PermitAsync() => await Redis.Database.StringGetAsync(RegionPermit.Key);

    private async Task<string[]> KeysAsync() => (string[])(await Redis.Database.ExecuteAsync("KEYS", "*"))!;

    internal sealed record Note(string Text);

    [JsonSerializable(typeof(Note))]
    internal sealed partial class NoteJson : JsonSerializerContext;
}
