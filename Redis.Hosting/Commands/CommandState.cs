using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;

namespace AspireRedis.Hosting.Commands;

/// <summary>Whether a command is enabled, from what its resource shows.</summary>
internal static class CommandState
{
    public static ResourceCommandState When(bool condition) => condition ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;

    public static bool IsRunning(UpdateCommandStateContext context) => NodeStates.IsThere(context.ResourceSnapshot);

    public static bool Is(UpdateCommandStateContext context, string flag)
        => context.ResourceSnapshot.Properties.Any(p => p.Name == flag && p.Value is true);

    public static bool Has(UpdateCommandStateContext context, string property, string value)
        => context.ResourceSnapshot.Properties.Any(p => p.Name == property && p.Value as string == value);
}
