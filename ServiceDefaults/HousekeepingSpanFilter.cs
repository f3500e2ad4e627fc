using System.Diagnostics;
using OpenTelemetry;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Drops root spans of Redis commands, which belong to no request and no message: consumer groups maintain their entries
/// every few seconds, and each of these commands would be a trace of its own.
/// </summary>
internal sealed class HousekeepingSpanFilter : BaseProcessor<Activity>
{
    // The source of Aspire.StackExchange.Redis.
    private const string RedisCommands = "OpenTelemetry.Instrumentation.StackExchangeRedis";

    public override void OnEnd(Activity data)
    {
        if (data.ParentSpanId == default && data.Source.Name == RedisCommands)
        {
            // Exporters, which come after this processor, skip it.
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}
