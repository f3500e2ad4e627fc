using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>The AppHost, started once for all tests of a class, with the Sentinel deployment as executables.</summary>
public sealed class StartedAppHost : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(4);

    private readonly TemporaryDirectory _directory = new();

    public DistributedApplication App { get; private set; } = null!;

    public string RunDirectory => _directory.Path;

    public async Task InitializeAsync()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            ["--Redis:Mode=executable", $"--Run:Directory={RunDirectory}", "--no-dashboard"], bound.Token);
        App = await builder.BuildAsync(bound.Token);
        await App.StartAsync(bound.Token);
        foreach (var service in new[] { "redis", "inventory-api", "orders-api", "notifications-worker" })
        {
            await App.ResourceNotifications.WaitForResourceHealthyAsync(service, WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        }
    }

    public async Task DisposeAsync()
    {
        if (App is not null)
        {
            await App.DisposeAsync();
        }
        _directory.Dispose();
    }
}
