using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>
/// Asks every server for its role each few milliseconds, to know by itself when one was promoted; and listens to when a
/// Sentinel says so, which sees it by its next <c>INFO</c>.
/// </summary>
internal sealed class RoleProbe : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<long> _promoted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<long> _announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<ConnectionMultiplexer> _connections = [];
    private Task _probing = Task.CompletedTask;

    private RoleProbe()
    {
    }

    /// <summary>When a server other than the first primary said that it is one.</summary>
    public Task<long> Promoted => _promoted.Task;

    /// <summary>When a Sentinel published <c>+promoted-slave</c>; it sends the other replicas to the new primary then.</summary>
    public Task<long> Announced => _announced.Task;

    public static async Task<RoleProbe> StartAsync(LocalRedis redis, RedisNode primary)
    {
        var probe = new RoleProbe();
        foreach (var sentinel in redis.Topology.Sentinels)
        {
            var connection = await ConnectionMultiplexer.ConnectAsync(redis.Topology.ConnectionStringOf(sentinel),
                o => o.CommandMap = CommandMap.Sentinel);
            probe._connections.Add(connection);
            await connection.GetSubscriber().SubscribeAsync(
                RedisChannel.Literal("+promoted-slave"), (_, _) => probe._announced.TrySetResult(Stopwatch.GetTimestamp()));
        }
        var asked = new List<ConnectionMultiplexer>();
        foreach (var node in redis.Topology.Servers.Where(n => n != primary))
        {
            asked.Add(await ConnectionMultiplexer.ConnectAsync(redis.Topology.ConnectionStringOf(node),
                o => o.BacklogPolicy = BacklogPolicy.FailFast));
        }
        probe._connections.AddRange(asked);
        probe._probing = Task.WhenAll(asked.Select(probe.AskAsync));
        return probe;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _probing;
        await Task.WhenAll(_connections.Select(c => c.CloseAsync(allowCommandsToComplete: false)));
        _stopping.Dispose();
    }

    private async Task AskAsync(ConnectionMultiplexer connection)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                if ((string?)(await connection.GetDatabase().ExecuteAsync("ROLE"))[0] == "master")
                {
                    _promoted.TrySetResult(Stopwatch.GetTimestamp());
                    return;
                }
            }
            catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final)
            {
                // The promotion closes all connections.
            }
            await Task.Delay(5);
        }
    }
}
