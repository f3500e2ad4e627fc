using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// A connection to one node that nobody else uses, so that its commands may block. They are not run again elsewhere: one that
/// fails ends the connection, and what it was waiting for is abandoned with it.
/// </summary>
/// <remarks>Commands may be sent concurrently; a blocking one holds up those behind it.</remarks>
internal sealed class DedicatedConnection : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _multiplexer;

    internal DedicatedConnection(ConnectionMultiplexer multiplexer, EndPoint node)
    {
        _multiplexer = multiplexer;
        Node = node;
        Database = multiplexer.GetDatabase();
    }

    /// <summary>The node it is connected to, which may have been demoted since.</summary>
    public EndPoint Node { get; }

    /// <summary>Whether it still stands. Once lost it is not made again, so all of its replies are of one process with its data.</summary>
    public bool IsConnected => _multiplexer.IsConnected;

    /// <summary>Sends commands through this connection.</summary>
    public IDatabase Database { get; }

    /// <summary>Closes the connection at once. A reply that was under way is lost; its command may have taken effect.</summary>
    public async ValueTask DisposeAsync() => await _multiplexer.CloseAsync(allowCommandsToComplete: false);
}
