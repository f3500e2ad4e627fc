using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Xunit;

namespace AspireRedis.Testing;

/// <summary>A browser that is connected to a stream of Server-Sent Events: what has come so far.</summary>
public sealed class EventStream : IAsyncDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(90);

    private readonly Lock _lock = new();
    private readonly List<SseItem<string>> _events = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly HttpResponseMessage _response;

    private EventStream(HttpResponseMessage response)
    {
        _response = response;
        Reading = Task.Run(ReadAsync);
    }

    /// <summary>Ends when the server has ended the stream, or the connection is lost.</summary>
    public Task Reading { get; }

    /// <summary>Why the connection was lost; null while it is not.</summary>
    public Exception? Lost { get; private set; }

    public IReadOnlyList<SseItem<string>> Events
    {
        get
        {
            lock (_lock)
            {
                return [.. _events];
            }
        }
    }

    /// <summary>The id of the last event that had one, as a browser keeps it.</summary>
    public string? LastEventId => Events.LastOrDefault(e => e.EventId is not null).EventId;

    public static async Task<EventStream> OpenAsync(HttpClient http, string path, string? lastEventId = null)
    {
        HttpResponseMessage response = null!;
        // An instance that has to connect first, on a busy machine, says 503.
        await Eventually.HoldsAsync(
            async () =>
            {
                response = await SendAsync(http, path, lastEventId);
                Assert.True(response.StatusCode != HttpStatusCode.ServiceUnavailable, response.IsSuccessStatusCode ? ""
                    : await response.Content.ReadAsStringAsync());
            },
            $"{path} answers", s_bound);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{(int)response.StatusCode}");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new EventStream(response);
    }

    public static Task<HttpResponseMessage> SendAsync(HttpClient http, string path, string? lastEventId)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId));
        }
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>The data of the events of a type, as JSON.</summary>
    public IReadOnlyList<JsonElement> Data(string type)
        => [.. Events.Where(e => e.EventType == type).Select(e => JsonDocument.Parse(e.Data).RootElement)];

    /// <summary>The stocks of a product, in the order in which they came.</summary>
    public IReadOnlyList<int> StocksOf(string sku)
        => [.. Data("product").Where(d => d.GetProperty("sku").GetString() == sku).Select(d => d.GetProperty("stock").GetInt32())];

    public IReadOnlyList<string?> Statuses() => [.. Data("order").Select(d => d.GetProperty("status").GetString())];

    public Task WaitForAsync(Func<EventStream, bool> condition, string what)
        => Eventually.HoldsAsync(
            () =>
            {
                Assert.True(condition(this), string.Join('\n', Events.TakeLast(20).Select(e => $"{e.EventId} {e.EventType} {e.Data}"))
                    + (Reading.IsCompleted ? $"\nand then the stream ended. {Lost?.Message}" : ""));
                return Task.CompletedTask;
            },
            what, s_bound);

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _response.Dispose();
        await Reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closing.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            await using var stream = await _response.Content.ReadAsStreamAsync(_closing.Token);
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(_closing.Token))
            {
                lock (_lock)
                {
                    _events.Add(item);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            Lost = e;
        }
    }
}
