using Microsoft.AspNetCore.Http;

namespace AspireRedis.ServiceDefaults;

/// <summary>Requests that came as HEAD and are answered as GET.</summary>
public static class HeadRequests
{
    private static readonly object s_mark = new();

    /// <summary>Whether it is one: for answers that have no end, and must not begin.</summary>
    public static bool Is(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Items.ContainsKey(s_mark);
    }

    internal static void Mark(HttpContext context) => context.Items[s_mark] = s_mark;
}
