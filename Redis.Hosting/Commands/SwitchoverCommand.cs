using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Hosting.Resources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Hosting.Commands;

/// <summary>What a planned switchover from the dashboard begins and ends with, whoever carries it out.</summary>
internal static class SwitchoverCommand
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    /// <summary>How this machine reaches the deployment.</summary>
    public static async Task<ConfigurationOptions> OptionsAsync(RedisDeploymentResource deployment, CancellationToken cancellationToken)
    {
        RedisConnectionString.IsOfCluster(
            (await deployment.ConnectionStringExpression.GetValueAsync(cancellationToken))!, out var connectionString);
        var options = ConfigurationOptions.Parse(connectionString);
        if (deployment.Runtime.HasOwnAddresses)
        {
            EndpointMap.Parse((await new EndpointMapReference(deployment).GetValueAsync(cancellationToken))!).ApplyTo(options);
        }
        return options;
    }

    public static ILogger<T> LoggerOf<T>(ExecuteCommandContext context)
        => context.Services.GetRequiredService<ILoggerFactory>().CreateLogger<T>();

    /// <summary>Says what has happened, when the dashboard shows it too.</summary>
    /// <param name="deployment">The deployment.</param>
    /// <param name="result">Who is the primary now.</param>
    /// <param name="shows">Whether the deployment shows the resource of this name as a primary.</param>
    /// <param name="context">The command.</param>
    /// <exception cref="TimeoutException">It is not shown.</exception>
    public static async Task<ExecuteCommandResult> SucceededAsync(RedisDeploymentResource deployment, PlannedSwitchoverResult result,
        Func<CustomResourceSnapshot, string, bool> shows, ExecuteCommandContext context)
    {
        var primary = deployment.ResourceOf(
            deployment.Layout.Nodes.First(n => n.Address.ToString() == EndPointCollection.ToString(result.To))).Name;
        await context.Services.GetRequiredService<ResourceNotificationService>()
            .WaitForResourceAsync(deployment.Name, e => shows(e.Snapshot, primary), context.CancellationToken)
            .WaitAsync(s_bound, context.CancellationToken);
        return CommandResults.Success(string.Create(
            CultureInfo.InvariantCulture, $"{primary} is the primary now; writes were held up for {result.Paused.TotalMilliseconds:0} ms."));
    }
}
