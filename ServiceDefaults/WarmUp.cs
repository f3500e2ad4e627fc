using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Regions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Goes the ways of a service once before anybody else does, so that the first customer does not wait for compilers, connections and
/// scripts (0.4 s were seen). Without effects: with requests that are refused, and writes that are made nowhere.
/// </summary>
public interface IWarmUp
{
    /// <summary>One round; thirty of them, after which the runtime compiles once more, and better. What it throws is ignored.</summary>
    /// <param name="self">Sends requests to this service, which are in no trace and no metric.</param>
    /// <param name="cancellationToken">The end of the service, or of the time for it.</param>
    Task RunAsync(HttpClient self, CancellationToken cancellationToken);
}

/// <summary>Adds warm-ups.</summary>
public static class WarmUpExtensions
{
    /// <summary>The service is not healthy before the warm-up has run, for 5 s at the most.</summary>
    public static void AddWarmUp<T>(this IServiceCollection services)
        where T : class, IWarmUp
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSingleton<IWarmUp, T>();
        services.AddSingleton<WarmUpService>();
        services.AddHostedService(provider => provider.GetRequiredService<WarmUpService>());
        services.AddTransient<IStartupFilter, WarmUpFilter>();
        services.AddHealthChecks().AddCheck<WarmUpService>("warm-up");
    }
}

/// <summary>Runs them once the server listens.</summary>
internal sealed class WarmUpService(
    IServiceProvider services, IServer server, IHostApplicationLifetime lifetime, ILogger<WarmUpService> logger)
    : BackgroundService, IHealthCheck
{
    public const string Header = "X-Warm-Up";

    private const int Rounds = 30;

    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(5);

    private volatile bool _done;

    /// <summary>Known to this process alone, so that nobody else hides requests from the telemetry.</summary>
    public string Secret { get; } = Guid.NewGuid().ToString("N");

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        => Task.FromResult(_done ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("It warms up."));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var started = new TaskCompletionSource();
            await using (lifetime.ApplicationStarted.Register(started.SetResult))
            {
                await started.Task.WaitAsync(stoppingToken);
            }
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            bound.CancelAfter(s_bound);
            var began = Stopwatch.GetTimestamp();
            var rounds = await RunAsync(bound.Token);
            logger.LogInformation("Warm after {Rounds} rounds and {Milliseconds} ms.", rounds,
                (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        catch (OperationCanceledException)
        {
            // The end, or that of the time for it.
        }
        finally
        {
            _done = true;
        }
    }

    private async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var self = new HttpClient();
        self.DefaultRequestHeaders.Add(Header, Secret);
        // A server of a test listens nowhere.
        if (OwnAddress() is not { } address)
        {
            return 0;
        }
        self.BaseAddress = address;
        using var _ = SuppressInstrumentationScope.Begin();
        var warmUps = services.GetServices<IWarmUp>().ToArray();
        var rounds = 0;
        // In a standby what writes is refused, and as much as comes before is warm.
        var isStandby = services.GetService<RegionMonitor>() is { } region && !(await region.LookAsync(cancellationToken)).IsActive;
        while (rounds < Rounds && !cancellationToken.IsCancellationRequested)
        {
            try
            {
                foreach (var warmUp in warmUps)
                {
                    await warmUp.RunAsync(self, cancellationToken);
                }
                rounds++;
            }
            catch (RegionNotActiveException) when (isStandby)
            {
                rounds++;
            }
            catch (Exception e)
            {
                // What it calls is not there yet, perhaps.
                logger.LogDebug(e, "A round of the warm-up failed.");
                await Task.Delay(100, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        return rounds;
    }

    private Uri? OwnAddress()
    {
        var address = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault(a => a.StartsWith("http:", StringComparison.Ordinal));
        if (address is null)
        {
            return null;
        }
        var binding = BindingAddress.Parse(address);
        var host = binding.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "localhost" : binding.Host;
        return new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{binding.Port}"));
    }
}

/// <summary>Keeps the requests of the warm-up out of the telemetry.</summary>
internal sealed class WarmUpFilter(WarmUpService service) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (context, handle) =>
        {
            if (context.Request.Headers[WarmUpService.Header] != service.Secret)
            {
                await handle(context);
                return;
            }
            if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
            {
                metrics.MetricsDisabled = true;
            }
            if (context.Features.Get<IHttpActivityFeature>()?.Activity is { } span)
            {
                // Exporters skip it.
                span.IsAllDataRequested = false;
                span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
            Activity.Current = null;
            using var _ = SuppressInstrumentationScope.Begin();
            await handle(context);
        });
        next(app);
    };
}
