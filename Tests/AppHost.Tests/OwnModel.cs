using Aspire.Hosting;

namespace AspireRedis.AppHost.Tests;

/// <summary>An application of the test's own instead of the AppHost's, without a dashboard.</summary>
internal static class OwnModel
{
    public static IDistributedApplicationBuilder Create(string mode)
        => DistributedApplication.CreateBuilder(new DistributedApplicationOptions
    {
        // Where the orchestrator is, is said in the AppHost's assembly.
        AssemblyName = "AppHost",
        DisableDashboard = true,
        // Or a later test would find containers and processes that are still ending.
        Args = [$"--Redis:Mode={mode}", "--DcpPublisher:WaitForResourceCleanup=true"],
    });
}
