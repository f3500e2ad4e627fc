using System.Diagnostics;
using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.PubSub;

/// <summary>The metrics of subscriptions.</summary>
internal static class ChannelMetrics
{
    public static readonly Counter<long> Received = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.channel.received", "{message}", "Messages that came on a subscription, by outcome: handled, failed, unreadable, dropped.");

    public static readonly Counter<long> Gaps = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.channel.gaps", "{gap}", "Times that a subscriber was told that messages may be missing, by reason.");

    public static TagList Outcome(string channel, string outcome)
        => new() { { "messaging.system", "redis" }, { "messaging.destination.name", channel }, { "redis.channel.outcome", outcome } };

    public static TagList Reason(string channel, ChannelGapReason reason)
        => new()
        {
            { "messaging.system", "redis" }, { "messaging.destination.name", channel },
            { "redis.channel.reason", reason == ChannelGapReason.Interrupted ? "interrupted" : "overflow" },
        };
}
