using System.Text.RegularExpressions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>Says of a refusal for want of a permission what is missing: of a script the server does not say which command it was.</summary>
internal static partial class PermissionDenied
{
    private const string Code = "NOPERM";

    /// <summary>Where the smallest ACL of each part stands.</summary>
    private const string Page = "See docs/security.md.";

    public static bool Is(Exception exception) => exception is RedisServerException
        // Redis 7.0 has no code for it in a script.
        && (exception.Message.StartsWith(Code, StringComparison.Ordinal)
            || exception.Message.StartsWith("ERR The user executing the script can't", StringComparison.Ordinal));

    /// <summary>What to throw instead; null when it is something else.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="script">The name of the script.</param>
    /// <param name="text">Its text.</param>
    public static RedisServerException? Explain(Exception exception, string script, string text)
        => Is(exception) ? new RedisServerException(
            $"{Code} for the script '{script}', which calls {string.Join(' ', CommandsOf(text))}: {exception.Message} {Page}") : null;

    /// <summary>The same for a subscription.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="pattern">All channels of its kind.</param>
    public static RedisServerException? Explain(Exception exception, string pattern)
        => Is(exception) ? new RedisServerException(
            $"{Code}: to wait for a lease the user must be given the channels {pattern} and the command SUBSCRIBE "
            + $"(ACL SETUSER NAME &{pattern} +subscribe +unsubscribe): {exception.Message} {Page}") : null;

    private static IEnumerable<string> CommandsOf(string script)
        => Calls().Matches(script)
            .Select(m => m.Groups[1].Value is "XINFO" or "XGROUP" ? $"{m.Groups[1].Value}|{m.Groups[2].Value}" : m.Groups[1].Value)
            .Distinct().Order(StringComparer.Ordinal);

    [GeneratedRegex(@"redis\.p?call\(\s*'([A-Z]+)'(?:,\s*'([A-Z]+)')?")]
    private static partial Regex Calls();
}
