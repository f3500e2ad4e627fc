using System.Globalization;
using System.Text.Json;

namespace AspireRedis.Chaos.Regions;

/// <summary>What the agent of the standby last showed: up to when the standby has everything.</summary>
internal sealed class LagWatch(Uri agent, TimeProvider clock) : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private DateTimeOffset? _complete;
    private Task? _watching;

    /// <summary>What was acknowledged before that has arrived; null when the agent never said.</summary>
    public DateTimeOffset? CompleteUpTo
    {
        get
        {
            lock (_lock)
            {
                return _complete;
            }
        }
    }

    public void Start() => _watching ??= RunAsync();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_watching is not null)
        {
            await _watching;
        }
        _http.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                using var answer = await _http.GetAsync(new Uri(agent, "/health"), _stopping.Token);
                // Before the answer was read: later than the agent looked.
                var now = clock.GetUtcNow();
                var health = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(_stopping.Token)).RootElement;
                if (health.GetProperty("checks").GetProperty("region-agent").TryGetProperty("data", out var data)
                    && data.TryGetProperty("lagSeconds", out var lag))
                {
                    var behind = TimeSpan.FromSeconds(double.Parse(lag.GetString()!, CultureInfo.InvariantCulture));
                    lock (_lock)
                    {
                        _complete = now - behind;
                    }
                }
                await Task.Delay(s_interval, _stopping.Token);
            }
            catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or OperationCanceledException)
            {
                // What it said last stands.
                await Task.Delay(s_interval, CancellationToken.None);
            }
        }
    }
}
