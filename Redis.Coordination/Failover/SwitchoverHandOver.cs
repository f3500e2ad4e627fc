using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Leads the shared connections from the old primary of a planned switchover to the new one, while the gate of the route is
/// closed. The old primary refuses writes that it was sent as soon as it is demoted, so each of them is known not to have
/// happened once it has answered: <c>ROLE</c> on the same connection is answered behind them. That is asked of each
/// connection and not by way of the door, which waits at the gate.
/// </summary>
internal sealed class SwitchoverHandOver(PrimaryRoute route, ILogger logger)
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);

    public async Task RunAsync()
    {
        await Task.WhenAll(route.Attached.Select(DrainAsync));
        route.Fence(dedicated: false);
        await Task.WhenAll(route.Attached.Select(ArriveAsync));
        route.OpenGate();
        // Their users have the answers by now, or find the socket closed.
        await Task.Delay(s_bound);
        route.Fence(dedicated: true);
    }

    /// <summary>Until the old primary has answered everything, or its connection is gone.</summary>
    private async Task DrainAsync(IConnectionMultiplexer connection)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            while (s_bound - Stopwatch.GetElapsedTime(began) is var left && left > TimeSpan.Zero && await IsPrimaryAsync(connection, left))
            {
                await Task.Delay(s_look);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException || e.IsOfRedis())
        {
            logger.LogDebug(e, "The old primary of the switchover did not answer everything.");
        }
    }

    /// <summary>
    /// Until the connection leads to the new primary. The client finds out a moment later that its socket was closed; what
    /// it took for that one in between would be lost, and nobody would know that it was.
    /// </summary>
    private static async Task ArriveAsync(IConnectionMultiplexer connection)
    {
        var began = Stopwatch.GetTimestamp();
        while (s_bound - Stopwatch.GetElapsedTime(began) is var left && left > TimeSpan.Zero)
        {
            try
            {
                if (await IsPrimaryAsync(connection, left))
                {
                    return;
                }
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (Exception e) when (e.IsOfRedis())
            {
                // Asked on the socket that was closed.
            }
            await Task.Delay(s_look);
        }
    }

    private static async Task<bool> IsPrimaryAsync(IConnectionMultiplexer connection, TimeSpan bound)
        => (string?)(await connection.GetDatabase().ExecuteAsync("ROLE").WaitAsync(bound))[0] == "master";
}
