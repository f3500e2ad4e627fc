using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.ServiceDefaults;

/// <summary>Writes the state of each check as JSON.</summary>
internal static partial class HealthReportWriter
{
    public static Task WriteAsync(HttpContext context, HealthReport report)
        => context.Response.WriteAsJsonAsync(
            new Report(report.Status, report.Entries.ToDictionary(
                entry => entry.Key,
                entry => new Check(
                    entry.Value.Status,
                    // When a check throws, its description is the exception's message, which is not for outsiders.
                    entry.Value.Exception is null ? entry.Value.Description : null,
                    entry.Value.Data.Count == 0 ? null : entry.Value.Data.ToDictionary(item => item.Key, item => $"{item.Value}")))),
            ReportJson.Default.Report,
            cancellationToken: context.RequestAborted);

    internal sealed record Report(HealthStatus Status, Dictionary<string, Check> Checks);

    internal sealed record Check(HealthStatus Status, string? Description, Dictionary<string, string>? Data);

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UseStringEnumConverter = true)]
    [JsonSerializable(typeof(Report))]
    private sealed partial class ReportJson : JsonSerializerContext;
}
