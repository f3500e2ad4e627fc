using AspireRedis.LocalServers;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class RedisProcessTests : IDisposable
{
    private static readonly RedisTopologyOptions s_one = new() { Replicas = 0, Sentinels = 0 };
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_append_only_file_keeps_data_over_kill_and_restart()
    {
        var topology = RedisTopology.Create(s_one with { Persistence = RedisPersistence.AofAlways, Password = "s3cret" });
        await using var redis = await RedisProcess.StartAsync(topology, topology.Primary, _directory.Path);
        var first = redis.ProcessId;
        Assert.Equal("OK", await redis.ExecuteAsync(default, "SET", "key", "value"));

        redis.Kill();
        Assert.False(redis.IsRunning);
        Assert.False(ProcessTable.Exists(first));
        await redis.RestartAsync();

        Assert.NotEqual(first, redis.ProcessId);
        Assert.Equal("value", await redis.ExecuteAsync(default, "GET", "key"));
        await Assert.ThrowsAsync<RespErrorException>(() => RespConnection.OnceAsync(redis.Node.Address, new(null, "wrong"), default, "PING"));
    }

    [Fact]
    public async Task Stopping_keeps_what_was_written_and_a_server_without_persistence_forgets()
    {
        foreach (var (persistence, expected) in new[] { (RedisPersistence.AofEverySecond, "value"), (RedisPersistence.Rdb, "value"),
            (RedisPersistence.None, null) })
        {
            var topology = RedisTopology.Create(s_one with { Persistence = persistence });
            await using var redis = await RedisProcess.StartAsync(topology, topology.Primary,
                Path.Combine(_directory.Path, $"{persistence.GetHashCode()}"));
            await redis.ExecuteAsync(default, "SET", "key", "value");

            await redis.StopAsync();
            await redis.StartAsync();

            Assert.Equal(expected, await redis.ExecuteAsync(default, "GET", "key"));
        }
    }

    [Fact]
    public async Task A_frozen_server_is_silent_until_it_is_thawed()
    {
        var topology = RedisTopology.Create(s_one);
        await using var redis = await RedisProcess.StartAsync(topology, topology.Primary, _directory.Path);

        redis.Freeze();
        var silence = await Assert.ThrowsAsync<IOException>(() => redis.ExecuteAsync(default, "PING"));
        Assert.Contains("no answer", silence.Message, StringComparison.Ordinal);
        Assert.True(redis.IsRunning);
        redis.Thaw();

        Assert.Equal("PONG", await redis.ExecuteAsync(default, "PING"));
    }

    [Fact]
    public async Task A_server_that_ends_at_once_shows_the_end_of_its_log()
    {
        var topology = RedisTopology.Create(s_one with { ServerSettings = ["no-such-setting 1"] });

        var error = await Assert.ThrowsAsync<StopWaitingException>(() => RedisProcess.StartAsync(topology, topology.Primary,
            _directory.Path));

        Assert.Contains("no-such-setting", error.Message, StringComparison.Ordinal);
        Assert.Contains("redis-1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_another_server_holds_is_an_error_and_not_mistaken_for_a_start()
    {
        var port = PortAllocator.Next();
        var topology = RedisTopology.Create(s_one, port);
        await using var redis = await RedisProcess.StartAsync(topology, topology.Primary, Path.Combine(_directory.Path, "a"));

        var error = await Assert.ThrowsAsync<StopWaitingException>(
            () => RedisProcess.StartAsync(topology, topology.Primary, Path.Combine(_directory.Path, "b")));

        Assert.Contains("Address already in use", error.Message, StringComparison.Ordinal);
        Assert.True(redis.IsRunning);
    }
}
