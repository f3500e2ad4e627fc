using System.Net.Sockets;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using Polly;
using StackExchange.Redis;

namespace AspireRedis.ServiceDefaults;

/// <summary>Decides which exceptions mean that the same request may succeed shortly afterwards.</summary>
internal static class Unavailability
{
    private const string NoAnswer = "Redis did not answer. The outcome is unknown; try again.";

    // Error codes of a server that is starting, failing over, demoted, busy, or not allowed to write.
    private static readonly string[] s_transient =
        ["LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM", "BUSY"];

    /// <summary>The explanation for the caller; null when the exception does not mean unavailability.</summary>
    public static string? Explain(Exception exception) => exception switch
    {
        NotDurableException => "The change was made, but is not yet safe against a failover. Repeat the request to learn its outcome.",
        LeaseNotAcquiredException or LeaseLostException => "Somebody else is working on the same resource. Try again.",
        RedisUnavailableException => "Redis has no primary at the moment. Nothing was changed; try again.",
        RedisOutcomeUnknownException or RedisConnectionException or RedisTimeoutException => NoAnswer,
        NoQuorumException => "Too few lock nodes answered. Try again.",
        RedisServerException e when Array.Exists(s_transient, code => code == e.Message.Split(' ', 2)[0])
            => "Redis takes no such commands at the moment. Try again.",
        RedisCommandException e when RedisFailure.Of(e) == RedisFailureKind.NotApplied => "Redis has no primary at the moment. Try again.",
        // HttpClient lets a bare SocketException through when a connection is reset just when it is made.
        HttpRequestException or IOException or SocketException or ExecutionRejectedException
            or OperationCanceledException { InnerException: TimeoutException }
            => "Another service did not answer. The outcome is open; try again.",
        TimeoutException => "The work took too long. The outcome is open; try again.",
        _ when RedisFailure.Of(exception) == RedisFailureKind.Unknown => NoAnswer,
        _ => null,
    };
}
