using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

// The real package puts its extension methods where IHostApplicationBuilder lives.
namespace Microsoft.Extensions.Hosting;

/// <summary>Registers a Redis client from configuration.</summary>
public static class AspireRedisExtensions
{
    private const string SettingsSection = "Aspire:StackExchange:Redis";
    private const string HealthCheckName = "StackExchange.Redis";

    /// <summary>Registers an <see cref="IConnectionMultiplexer"/> singleton.</summary>
    /// <param name="builder">The host under construction.</param>
    /// <param name="connectionName">The key below <c>ConnectionStrings</c> and below the settings' section.</param>
    /// <param name="configureSettings">Changes the settings after configuration was read.</param>
    /// <param name="configureOptions">Changes the client's options after the connection string was parsed.</param>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);
        Add(builder, connectionName, serviceKey: null, configureSettings, configureOptions);
    }

    /// <summary>Registers an <see cref="IConnectionMultiplexer"/> singleton under a service key.</summary>
    /// <param name="builder">The host under construction.</param>
    /// <param name="name">The service key, which also names the connection string and the settings.</param>
    /// <param name="configureSettings">Changes the settings after configuration was read.</param>
    /// <param name="configureOptions">Changes the client's options after the connection string was parsed.</param>
    public static void AddKeyedRedisClient(
        this IHostApplicationBuilder builder,
        string name,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        Add(builder, name, serviceKey: name, configureSettings, configureOptions);
    }

    private static void Add(
        IHostApplicationBuilder builder,
        string connectionName,
        string? serviceKey,
        Action<StackExchangeRedisSettings>? configureSettings,
        Action<ConfigurationOptions>? configureOptions)
    {
        var shared = builder.Configuration.GetSection(SettingsSection);
        var named = shared.GetSection(connectionName);

        var settings = new StackExchangeRedisSettings();
        shared.Bind(settings);
        named.Bind(settings);
        // What the AppHost hands over is nearer to the truth than a settings file.
        if (builder.Configuration.GetConnectionString(connectionName) is { Length: > 0 } connectionString)
        {
            settings.ConnectionString = connectionString;
        }

        configureSettings?.Invoke(settings);

        var optionsName = serviceKey ?? Options.Options.DefaultName;
        builder.Services.TryAddTransient<IOptionsFactory<ConfigurationOptions>, ParsingOptionsFactory>();
        builder.Services.AddSingleton(new NamedConnectionString(optionsName, settings.ConnectionString));
        builder.Services.AddOptions<ConfigurationOptions>(optionsName).Configure(options =>
        {
            BindIfPresent(shared.GetSection(nameof(ConfigurationOptions)), options);
            BindIfPresent(named.GetSection(nameof(ConfigurationOptions)), options);
            configureOptions?.Invoke(options);
        });

        IConnectionMultiplexer Connect(IServiceProvider services)
        {
            var options = services.GetRequiredService<IOptionsMonitor<ConfigurationOptions>>().Get(optionsName);
            if (options.EndPoints.Count == 0)
            {
                throw new InvalidOperationException(
                    $"No Redis endpoint is configured. Set ConnectionStrings:{connectionName}, or ConnectionString in the section {SettingsSection} or {SettingsSection}:{connectionName}.");
            }

            options.LoggerFactory ??= services.GetService<ILoggerFactory>();
            return ConnectionMultiplexer.Connect(options);
        }

        IConnectionMultiplexer Resolve(IServiceProvider services) => serviceKey is null
            ? services.GetRequiredService<IConnectionMultiplexer>()
            : services.GetRequiredKeyedService<IConnectionMultiplexer>(serviceKey);

        if (serviceKey is null)
        {
            builder.Services.AddSingleton(Connect);
        }
        else
        {
            builder.Services.AddKeyedSingleton(serviceKey, (services, _) => Connect(services));
        }

        if (!settings.DisableAutoActivation)
        {
            builder.Services.AddSingleton<IHostedService>(services => new Activation(() => Resolve(services)));
        }

        if (!settings.DisableHealthChecks)
        {
            AddHealthCheck(builder, serviceKey is null ? HealthCheckName : $"{HealthCheckName}_{connectionName}", Resolve);
        }
    }

    private static void BindIfPresent(IConfigurationSection section, ConfigurationOptions options)
    {
        if (section.Exists())
        {
            section.Bind(options);
        }
    }

    private static void AddHealthCheck(
        IHostApplicationBuilder builder, string name, Func<IServiceProvider, IConnectionMultiplexer> resolve)
    {
        // A second client of the same name must not fail the host with a duplicate registration.
        if (builder.Properties.TryAdd($"Aspire.HealthChecks.{name}", true))
        {
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                name, services => new PingHealthCheck(() => resolve(services)), failureStatus: null, tags: null));
        }
    }

    private sealed record NamedConnectionString(string OptionsName, string? Value);

    private sealed class ParsingOptionsFactory(
        IEnumerable<NamedConnectionString> connectionStrings,
        IEnumerable<IConfigureOptions<ConfigurationOptions>> setups,
        IEnumerable<IPostConfigureOptions<ConfigurationOptions>> postConfigures,
        IEnumerable<IValidateOptions<ConfigurationOptions>> validations)
        : OptionsFactory<ConfigurationOptions>(setups, postConfigures, validations)
    {
        protected override ConfigurationOptions CreateInstance(string name)
        {
            var text = connectionStrings.LastOrDefault(x => x.OptionsName == name)?.Value;
            var options = string.IsNullOrEmpty(text) ? new ConfigurationOptions() : ConfigurationOptions.Parse(text);

            // The server may start later than this process, unless the text says that this matters.
            if (text is null || !text.Contains("abortConnect=", StringComparison.OrdinalIgnoreCase))
            {
                options.AbortOnConnectFail = false;
            }

            return options;
        }
    }

    private sealed class PingHealthCheck(Func<IConnectionMultiplexer> resolve) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                // The first resolve blocks until connected.
                var multiplexer = await Task.Run(resolve, cancellationToken);
                await multiplexer.GetDatabase().PingAsync().WaitAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                return new HealthCheckResult(context.Registration.FailureStatus, e.Message, e);
            }
        }
    }

    private sealed class Activation(Func<IConnectionMultiplexer> resolve) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.Run(resolve, cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
