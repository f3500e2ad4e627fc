using AspireRedis.Coordination.Switchover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/availability.md.</summary>
internal static class SwitchoverSnippets
{
    public static async Task RunAsync(string connectionString, ILogger<PlannedSwitchover> logger)
    {
        #region switchover
        var switchover = new PlannedSwitchover(ConfigurationOptions.Parse(connectionString), logger);
        PlannedSwitchoverResult result = await switchover.RunAsync();
        #endregion
        logger.LogInformation("{Result}", result);
    }
}
