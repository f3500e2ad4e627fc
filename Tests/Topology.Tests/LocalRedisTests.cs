using AspireRedis.LocalServers;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class LocalRedisTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_killed_primary_is_replaced_and_comes_back_as_a_replica_and_roles_outlive_a_restart_of_everything()
    {
        // The password goes every way there is: clients, replicas, Sentinels to servers and to one another.
        var topology = RedisTopology.Create(new RedisTopologyOptions { LockNodes = 1, Password = "s3cret" });
        int[] ids;
        RedisNode promoted;
        await using (var redis = await LocalRedis.StartAsync(topology, _directory.Path))
        {
            var first = await redis.CurrentPrimaryAsync();
            Assert.Equal(topology.Primary, first);
            await redis[first].ExecuteAsync(default, "SET", "key", "value");
            Assert.Equal(2L, await redis[first].ExecuteAsync(default, "WAIT", "2", "30000"));

            redis[first].Kill();
            promoted = await redis.WaitForPrimaryOtherThanAsync(first);
            Assert.Equal("value", await redis[promoted].ExecuteAsync(default, "GET", "key"));

            await redis[first].RestartAsync();
            await redis.WaitUntilCompleteAsync();
            Assert.Equal(promoted, await redis.CurrentPrimaryAsync());
            Assert.Contains(
                $"replicaof {promoted.Host} {promoted.Port}",
                File.ReadAllLines(RedisTopology.ConfigurationPath(first, _directory.Path)));

            ids = [.. redis.Processes.Values.Select(p => p.ProcessId)];
            Assert.All(ids, id => Assert.True(ProcessTable.Exists(id)));
            await redis.StopAsync();
        }

        Assert.All(ids, id => Assert.False(ProcessTable.Exists(id)));

        await using var again = await LocalRedis.StartAsync(topology, _directory.Path);
        Assert.Equal(promoted, await again.CurrentPrimaryAsync());
        Assert.Equal("value", await again[promoted].ExecuteAsync(default, "GET", "key"));
    }

    [Fact]
    public async Task A_failed_start_leaves_no_process_behind_and_deletes_the_directory()
    {
        var directory = Path.Combine(_directory.Path, "broken");
        // The servers start; the lock node, which comes last, does not.
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 1, Sentinels = 0, LockNodes = 1,
            LockNodeSettings = ["no-such-setting 1"] });

        await Assert.ThrowsAsync<StopWaitingException>(() => LocalRedis.StartAsync(topology, directory, deleteDirectory: true));

        Assert.False(Directory.Exists(directory));
        foreach (var server in topology.Servers)
        {
            await Assert.ThrowsAsync<IOException>(() => RespConnection.OnceAsync(server.Address, null, default, "PING"));
        }
    }

    [Fact]
    public async Task Stopping_right_after_the_start_ends_by_itself_although_a_replica_may_refuse_at_first()
    {
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });
        await using var redis = await LocalRedis.StartAsync(topology, _directory.Path);

        await redis.StopAsync();

        Assert.All(redis.Processes.Values, p => Assert.Equal(0, p.ExitCode));
    }

    [Fact]
    public async Task Without_sentinels_the_primary_is_the_server_that_says_so()
    {
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });
        await using var redis = await LocalRedis.StartAsync(topology, _directory.Path);
        Assert.Equal(topology.Primary, await redis.CurrentPrimaryAsync());

        redis[topology.Primary].Kill();
        await redis[topology.Replicas[0]].ExecuteAsync(default, "REPLICAOF", "NO", "ONE");

        Assert.Equal(topology.Replicas[0], await redis.CurrentPrimaryAsync());
    }
}
