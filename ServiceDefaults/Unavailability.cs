using System.Net.Sockets;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Regions;
using Polly;
using StackExchange.Redis;

namespace AspireRedis.ServiceDefaults;

/// <summary>Decides which exceptions mean that the same request may succeed shortly afterwards.</summary>
internal static class Unavailability
{
    private const string NoAnswer = "Redis did not answer. The outcome is unknown; try again.";

    // Error codes of a server that has no memory or disk left to write to; the library tries the others again itself.
    private static readonly string[] s_full = ["MISCONF", "OOM"];

    /// <summary>The explanation for the caller; null when the exception does not mean unavailability.</summary>
    public static string? Explain(Exception exception) => exception switch
    {
        NotDurableException => "The change was made, but is not yet safe against a failover. Repeat the request to learn its outcome.",
        LeaseNotAcquiredException or LeaseLostException => "Somebody else is working on the same resource. Try again.",
        RedisUnavailableException { InnerException: RegionException standby } => $"{standby.Message} Nothing was changed; try again.",
        RedisUnavailableException => "Redis takes no changes at the moment. Nothing was changed; try again.",
        RedisOutcomeUnknownException or RedisConnectionException or RedisTimeoutException => NoAnswer,
        RegionNotActiveException e => e.ActiveRegion is { } active && active != e.Region
            ? $"This region, {e.Region}, accepts no changes: {active} is the active one."
            : $"This region, {e.Region}, accepts no changes at the moment, and no other is known that does. Try again.",
        NoQuorumException => "Too few lock nodes answered. Try again.",
        RedisServerException e when RedisFailure.Of(e) == RedisFailureKind.NotApplied
            || Array.Exists(s_full, code => code == e.Message.Split(' ', 2)[0])
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
