using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Cases;

public abstract partial class ConformanceCases
{
    private static readonly RedisTopologyOptions s_forgetful = new() { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None };

    // Many times the interval at which a consumer polls.
    private static readonly TimeSpan s_asked = TimeSpan.FromMilliseconds(500);

    private const string QuickTimeouts = ",asyncTimeout=1000,syncTimeout=1000,connectTimeout=1000";

    [Fact]
    public async Task A_subscription_goes_on_when_its_connections_are_killed()
    {
        await using var servers = await OwnServers.StartAsync(s_forgetful);
        var settings = Settings() with { ConnectionString = servers.ConnectionString };
        await using var connection = await ConnectAsync(settings);
        await using var consumer = Start(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 20);
        await HandledAsync(Enumerable.Range(0, 20), "events are handled before", consumer);
        for (var round = 1; round < 5; round++)
        {
            await AppendAsync(connection.GetDatabase(), settings.Stream, 20 * round, 20);
            await KillAtWorkAsync(connection.GetDatabase());
            await HandledAsync(Enumerable.Range(20 * round, 20), "events are handled after the connections were killed", consumer);
        }
    }

    /// <summary>
    /// Closes all connections but the one that asks, each with a command under way: what a consumer sends while the script
    /// runs is not read before the transaction ends. Between two reads of a polling consumer it would see nothing of it.
    /// </summary>
    private static async Task KillAtWorkAsync(IDatabase database)
    {
        var transaction = database.CreateTransaction();
        // A tenth of a second or more: within a script the server's clock stands still.
        var busy = transaction.ExecuteAsync("EVAL", "for i = 1, 2e7 do end", 0);
        var killed = transaction.ExecuteAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        Assert.True(await transaction.ExecuteAsync());
        await busy;
        Assert.True((int)await killed > 0);
    }

    /// <summary>The reads of a server that does not answer are given up; it may have served them all the same.</summary>
    [Fact]
    public async Task A_subscription_goes_on_when_the_server_hung_for_longer_than_the_timeouts()
    {
        await using var servers = await OwnServers.StartAsync(s_forgetful);
        var settings = Settings() with { ConnectionString = servers.ConnectionString + QuickTimeouts };
        await using var connection = await ConnectAsync(settings with { ConnectionString = servers.ConnectionString });
        await using var consumer = Start(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 50);
        await HandledAsync(Enumerable.Range(0, 50), "events are handled before", consumer);

        servers.Server.Freeze();
        // Longer than the timeouts: that is what is tested.
        await Task.Delay(TimeSpan.FromSeconds(3));
        servers.Server.Thaw();
        await AppendAgainAsync(connection.GetDatabase(), settings.Stream, 50, 50);

        await HandledAsync(Enumerable.Range(50, 50), "events are handled after the server hung", consumer);
    }

    [Fact]
    public async Task A_subscription_goes_on_after_a_restart_of_the_server_with_its_data()
    {
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0,
            Persistence = RedisPersistence.AofAlways });
        var settings = Settings() with { ConnectionString = servers.ConnectionString + QuickTimeouts };
        await using var connection = await ConnectAsync(settings);
        await using var consumer = Start(settings);
        var next = 0;
        for (var round = 0; round < 2; round++)
        {
            await AppendAsync(connection.GetDatabase(), settings.Stream, next, 50);
            // It dies with a command under way: in this time every consumer asks a server that does not answer any more. Between
            // two reads of a polling one it would see nothing of the restart.
            servers.Server.Freeze();
            await Task.Delay(s_asked);
            servers.Server.Kill();
            await servers.Server.StartAsync();
            await AppendAgainAsync(connection.GetDatabase(), settings.Stream, next + 50, 50);
            await HandledAsync(Enumerable.Range(next, 100), "the events from before and after the restart are handled", consumer);
            next += 100;
        }
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    [Fact]
    public async Task A_subscription_goes_on_when_the_server_has_forgotten_everything()
    {
        await using var servers = await OwnServers.StartAsync(s_forgetful);
        var settings = Settings() with { ConnectionString = servers.ConnectionString };
        await using var connection = await ConnectAsync(settings);
        await using var consumer = Start(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 20);
        await HandledAsync(Enumerable.Range(0, 20), "events are handled before", consumer);

        await connection.GetDatabase().ExecuteAsync("FLUSHALL");
        await AppendAsync(connection.GetDatabase(), settings.Stream, 20, 20);

        await HandledAsync(Enumerable.Range(20, 20), "events are handled although the group was gone", consumer);
    }

    [Fact]
    public async Task A_subscription_goes_on_at_a_promoted_replica_that_lacks_the_group()
    {
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1 });
        var topology = servers.Redis.Topology;
        var settings = Settings() with { ConnectionString = servers.ConnectionString + QuickTimeouts };
        await using var connection = await ConnectAsync(settings);
        await using var consumer = Start(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 20);
        await HandledAsync(Enumerable.Range(0, 20), "events are handled before", consumer);

        servers.Server.Kill();
        var promoted = await servers.Redis.WaitForPrimaryOtherThanAsync(topology.Primary);
        await using var direct = await ConnectAsync(settings with { ConnectionString = topology.ConnectionStringOf(promoted) });
        // As if the replica had not got it: the stream is there, the group is not.
        await direct.GetDatabase().StreamDeleteConsumerGroupAsync(settings.Stream, settings.Group);
        await AppendAgainAsync(direct.GetDatabase(), settings.Stream, 20, 20);

        await HandledAsync(Enumerable.Range(20, 20), "events are handled at the new primary", consumer);
    }

    /// <summary>Each until it succeeds: the connection may not be back yet.</summary>
    private async Task AppendAgainAsync(IDatabase database, string stream, int first, int count)
    {
        for (var number = first; number < first + count; number++)
        {
            var fields = library.Encode(number);
            await Testing.Eventually.HoldsAsync(async () => await database.StreamAddAsync(stream, fields), "an event can be appended");
        }
    }
}
