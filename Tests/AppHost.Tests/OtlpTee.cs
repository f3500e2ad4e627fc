using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AspireRedis.AppHost.Tests;

/// <summary>
/// An OTLP receiver (HTTP, protobuf) between the services and the dashboard: it notes the names of the metrics, which the
/// dashboard's API does not give, and forwards everything.
/// </summary>
internal sealed class OtlpTee : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _http = new();
    private readonly TaskCompletionSource<Uri> _dashboard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, byte> _metrics = [];

    private OtlpTee(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    /// <summary>Names of all metrics seen so far.</summary>
    public ICollection<string> Metrics => _metrics.Keys;

    public static async Task<OtlpTee> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var tee = new OtlpTee(app);
        app.MapPost("/v1/{signal}", tee.ReceiveAsync);
        await app.StartAsync();
        return tee;
    }

    public void ForwardTo(Uri dashboard) => _dashboard.TrySetResult(dashboard);

    public async ValueTask DisposeAsync()
    {
        _dashboard.TrySetCanceled();
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task ReceiveAsync(string signal, HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var bytes = body.ToArray();
        if (signal == "metrics")
        {
            foreach (var name in MetricNames(bytes))
            {
                _metrics.TryAdd(name, 0);
            }
        }

        var dashboard = await _dashboard.Task.WaitAsync(context.RequestAborted);
        using var request = new HttpRequestMessage(HttpMethod.Post,
            new Uri(dashboard, $"/v1/{signal}")) { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        foreach (var header in context.Request.Headers.Where(h => h.Key.StartsWith("x-otlp", StringComparison.OrdinalIgnoreCase)))
        {
            request.Headers.TryAddWithoutValidation(header.Key, header.Value.ToArray());
        }
        using var response = await _http.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        await context.Response.Body.WriteAsync(await response.Content.ReadAsByteArrayAsync(context.RequestAborted), context.RequestAborted);
    }

    /// <summary>ExportMetricsServiceRequest: resource_metrics = 1, scope_metrics = 2, metrics = 2, name = 1.</summary>
    private static IEnumerable<string> MetricNames(byte[] request)
        => from resource in Field(request, 1)
           from scope in Field(resource, 2)
           from metric in Field(scope, 2)
           from name in Field(metric, 1)
           select Encoding.UTF8.GetString(name.Span);

    /// <summary>The occurrences of one length-delimited field of a protobuf message.</summary>
    private static List<ReadOnlyMemory<byte>> Field(ReadOnlyMemory<byte> message, int wanted)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        var position = 0;
        while (position < message.Length)
        {
            var tag = Varint(message.Span, ref position);
            switch (tag & 7)
            {
                case 0:
                    Varint(message.Span, ref position);
                    break;
                case 1:
                    position += 8;
                    break;
                case 5:
                    position += 4;
                    break;
                default:
                    var length = (int)Varint(message.Span, ref position);
                    if ((int)(tag >> 3) == wanted)
                    {
                        found.Add(message.Slice(position, length));
                    }
                    position += length;
                    break;
            }
        }
        return found;
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int position)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = bytes[position++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }
}
