using Microsoft.Extensions.Options;
using OpenTelemetry.Trace;

namespace AspireRedis.Notifications;

internal static class MailExtensions
{
    /// <summary>Adds the handler's dependencies: by SMTP when a host is configured, else into a folder.</summary>
    public static void AddMail(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<MailOptions>().BindConfiguration(MailOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<MailOptions>, MailOptionsValidator>();
        builder.Services.AddSingleton<MailComposer>();
        builder.Services.AddSingleton<IMailTransport>(provider =>
            string.IsNullOrWhiteSpace(provider.GetRequiredService<IOptions<MailOptions>>().Value.Smtp.Host)
                ? ActivatorUtilities.CreateInstance<PickupFolder>(provider)
                : ActivatorUtilities.CreateInstance<SmtpTransport>(provider));
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddSource(MailHandler.SourceName));
    }
}
