using System.Diagnostics;
using System.Net;

namespace AspireRedis.Coordination.Diagnostics;

/// <summary>
/// The span of a script or command (https://opentelemetry.io/docs/specs/semconv/database/redis/), made only below another
/// one: consumer groups look after their entries every few seconds for ever, and each look would be a trace of its own.
/// </summary>
internal static class CommandSpan
{
    /// <summary>Whether a command that is made now would have one.</summary>
    public static bool IsWanted => CoordinationDiagnostics.ActivitySource.HasListeners() && Activity.Current is not null;

    /// <summary>Of a script, which gives it its name.</summary>
    public static Activity? StartScript(string script)
    {
        var span = Start(script);
        span?.SetTag("db.operation.name", "EVALSHA");
        span?.SetTag("db.stored_procedure.name", script);
        return span;
    }

    /// <summary>Of commands that are not known yet; see <see cref="SetCommands"/>.</summary>
    public static Activity? StartCommands() => Start("redis");

    public static void SetCommands(this Activity span, IEnumerable<string> commands)
    {
        var names = string.Join(' ', commands.Distinct());
        if (names.Length > 0)
        {
            span.DisplayName = names;
            span.SetTag("db.operation.name", names);
        }
    }

    /// <summary>The node that the command was sent to.</summary>
    public static void SetServer(this Activity span, EndPoint? node)
    {
        var (address, port) = node switch
        {
            IPEndPoint ip => (ip.Address.ToString(), ip.Port),
            DnsEndPoint name => (name.Host, name.Port),
            _ => (null, 0),
        };
        if (address is not null)
        {
            span.SetTag("server.address", address);
            span.SetTag("server.port", port);
        }
    }

    private static Activity? Start(string name)
    {
        var span = CoordinationDiagnostics.ActivitySource.StartActivity(name, ActivityKind.Client);
        span?.SetTag("db.system.name", "redis");
        return span;
    }
}
