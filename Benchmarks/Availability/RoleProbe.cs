using System.Diagnostics;
using AspireRedis.Coordination.Availability;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>Asks every server for its role each few milliseconds, to know by itself when one was promoted.</summary>
internal sealed class RoleProbe : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<long> _promoted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<ConnectionMultiplexer> _connections = [];
    private Task _probing = Task.CompletedTask;

    private RoleProbe()
    {
    }

    /// <summary>When a server other than the first primary said that it is one.</summary>
    public Task<long> Promoted => _promoted.Task;

    public static async Task<RoleProbe> StartAsync(LocalRedis redis, RedisNode primary)
    {
        var probe = new RoleProbe();
        foreach (var node in redis.Topology.Servers.Where(n => n != primary))
        {
            probe._connections.Add(await ConnectionMultiplexer.ConnectAsync(redis.Topology.ConnectionStringOf(node), o => o.BacklogPolicy = BacklogPolicy.FailFast));
        }
        probe._probing = Task.WhenAll(probe._connections.Select(probe.AskAsync));
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
            catch (Exception e) when (e.Classify() != RedisFailure.Final)
            {
                // The promotion closes all connections.
            }
            await Task.Delay(5);
        }
    }
}
