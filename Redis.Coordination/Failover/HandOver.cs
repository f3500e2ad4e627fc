using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Leads the shared connections from the old primary to the new one, while the gate of the route is closed, so that what was
/// sent has its answer and nothing is sent to a socket that is about to be closed. <c>ROLE</c> on the same connection is
/// answered behind all that the old primary got. That is asked of each connection and not by way of the door, which waits at the
/// gate.
/// </summary>
/// <remarks>
/// In a planned switchover the old primary is alive, and refuses what it was sent as soon as it is demoted: it is asked until it says
/// that it is. Otherwise it may be dead, frozen, or cut off with nobody but us: what it does not answer at once is given up, for nothing
/// that lies in a send buffer may reach one that wakes from a pause.
/// </remarks>
/// <param name="route">What the connections follow.</param>
/// <param name="planned">Whether it is a planned switchover.</param>
/// <param name="logger">Hears of what the old primary did not answer.</param>
/// <param name="renew">
/// Whether connections to the node itself are made anew: a client that has connected to it, or has looked at it, while it was a replica
/// takes it for one, refuses to write, and looks again once a minute only.
/// </param>
internal sealed class HandOver(PrimaryRoute route, bool planned, ILogger logger, bool renew = false)
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(1);
    // A server that is alive has answered by then, and a frozen one holds nobody up for longer.
    private static readonly TimeSpan s_lastAnswers = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);

    /// <summary>Has another node followed, and leads the connections there. Returns at once: the next decision must not wait.</summary>
    public static void Begin(PrimaryRoute route, EndPoint former, EndPoint node, bool planned, ILogger logger)
    {
        route.Follow(node, planned);
        try
        {
            route.Observer.Followed(former, node, planned);
        }
        finally
        {
            // Also when a listener of ours has thrown: the gate is closed.
            _ = new HandOver(route, planned, logger).RunAsync();
        }
    }

    public async Task RunAsync()
    {
        try
        {
            await Task.WhenAll(route.Attached.Select(DrainAsync));
            if (renew)
            {
                route.CloseAll();
            }
            else
            {
                route.Fence(dedicated: !planned);
            }
            await Task.WhenAll(route.Attached.Select(ArriveAsync));
        }
        finally
        {
            // Whatever happened: at worst some commands fail, but none waits for ever.
            route.OpenGate();
        }
        if (planned)
        {
            // Their users have the answers by now, or find the socket closed.
            await Task.Delay(s_bound);
            route.Fence(dedicated: true);
        }
    }

    /// <summary>Until the old primary has answered everything, or its connection is gone.</summary>
    private async Task DrainAsync(IConnectionMultiplexer connection)
    {
        var began = Stopwatch.GetTimestamp();
        var bound = planned ? s_bound : s_lastAnswers;
        try
        {
            if (!planned && !connection.IsConnected)
            {
                // Nothing is under way there, and what was not sent waits for the next connection.
                return;
            }
            while (bound - Stopwatch.GetElapsedTime(began) is var left && left > TimeSpan.Zero
                && await IsPrimaryAsync(connection, left) && planned)
            {
                await Task.Delay(s_look);
            }
        }
        catch (Exception e)
        {
            // Whatever it is: with "$ROLE=" in its connection string the client refuses to ask at all.
            logger.LogDebug(e, "The old primary did not answer everything.");
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
            catch (Exception)
            {
                // Asked on the socket that was closed, or it cannot be asked.
            }
            await Task.Delay(s_look);
        }
    }

    private static async Task<bool> IsPrimaryAsync(IConnectionMultiplexer connection, TimeSpan bound)
        => (string?)(await connection.GetDatabase().ExecuteAsync("ROLE").WaitAsync(bound))[0] == "master";
}
