using System.Net.Sockets;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>What a failed command tells about its effect.</summary>
public enum RedisFailureKind
{
    /// <summary>
    /// The server refused the command for what it is, or the exception is something else altogether: repeating it does
    /// not help.
    /// </summary>
    Final = 0,

    /// <summary>
    /// It was certainly not applied and may be repeated: never sent, or refused by a server that is no primary at the
    /// moment, or takes no such command at the moment.
    /// </summary>
    NotApplied,

    /// <summary>It was sent and no answer came: it may have been applied.</summary>
    Unknown,
}

/// <summary>Tells the failures of commands apart.</summary>
public static class RedisFailure
{
    // Of a cluster: another node has the slot, it is being moved there, some of the keys have been, or nobody has it.
    private static readonly string[] s_elsewhere = ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"];

    // A server that is starting, that was demoted, that has lost its primary or its replicas (min-replicas-to-write), or that is
    // at a slow script. Of a script it refuses the first write, and never a later one. OOM and MISCONF are not here, though
    // nothing is applied: they do not pass by themselves, and whoever asked is to hear it at once.
    private static readonly string[] s_notNow = ["READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "BUSY", .. s_elsewhere];

    /// <summary>
    /// What the exception of a command tells about its effect: one of <see cref="RedisDeployment"/>, or one that the client
    /// itself has thrown.
    /// </summary>
    public static RedisFailureKind Of(Exception exception) => exception switch
    {
        RedisUnavailableException => RedisFailureKind.NotApplied,
        RedisOutcomeUnknownException => RedisFailureKind.Unknown,
        RedisConnectionException { CommandStatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog }
            => RedisFailureKind.NotApplied,
        // There was no connection to send anything with.
        RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect
            or ConnectionFailureType.UnableToResolvePhysicalConnection } => RedisFailureKind.NotApplied,
        RedisConnectionException => RedisFailureKind.Unknown,
        RedisTimeoutException { Commandstatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog }
            => RedisFailureKind.NotApplied,
        RedisTimeoutException => RedisFailureKind.Unknown,
        RedisServerException e when IsNotNow(e.Message) => RedisFailureKind.NotApplied,
        // The connection knows a replica only, as in the middle of a failover.
        RedisCommandException e when e.Message.StartsWith("Command cannot be issued to a replica", StringComparison.Ordinal)
            => RedisFailureKind.NotApplied,
        // What ended the socket comes through bare now and then, as Pipelines.Sockets.Unofficial.ConnectionAbortedException,
        // which is an OperationCanceledException although nobody has cancelled anything.
        // One exception ends all commands of the socket, those that were sent as well: also that of the one that found
        // the pipe to the socket completed.
        OperationCanceledException { CancellationToken.CanBeCanceled: false } or IOException or SocketException => RedisFailureKind.Unknown,
        InvalidOperationException { Source: "System.IO.Pipelines" } => RedisFailureKind.Unknown,
        _ => RedisFailureKind.Final,
    };

    /// <summary>Whether a node of a cluster has said that a slot is not, or not wholly, its own: the map of the slots is old.</summary>
    internal static bool IsElsewhere(Exception exception) => exception switch
    {
        RedisServerException e => Begins(s_elsewhere, e.Message) || IsMoved(e.Message),
        // So the client says that it does not follow MOVED or ASK.
        RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect } e
            => e.Message.Contains(" serving hashslot ", StringComparison.Ordinal),
        RedisUnavailableException { InnerException: { } inner } => IsElsewhere(inner),
        _ => false,
    };

    private static bool IsNotNow(string message) => Begins(s_notNow, message) || IsMoved(message);

    /// <summary>So the client says that it was told not to follow.</summary>
    private static bool IsMoved(string message) => message.StartsWith("Key has MOVED ", StringComparison.Ordinal);

    /// <summary>By the whole code: BUSYGROUP and BUSYKEY are something else.</summary>
    private static bool Begins(string[] codes, string message)
        => Array.Exists(codes, code => message.StartsWith(code, StringComparison.Ordinal)
            && (message.Length == code.Length || message[code.Length] == ' '));

    /// <summary>Whether it comes from Redis or from the way there, and not from the caller: a cancellation, or a mistake.</summary>
    internal static bool IsOfRedis(this Exception exception)
        => exception is RedisException or TimeoutException || Of(exception) != RedisFailureKind.Final;
}
