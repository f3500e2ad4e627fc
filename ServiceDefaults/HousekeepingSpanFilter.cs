using System.Diagnostics;
using OpenTelemetry;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Keeps Redis commands that belong to no request and no message out of traces: consumer groups look after their
/// entries every few seconds for ever, and each command would be a trace of its own.
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
