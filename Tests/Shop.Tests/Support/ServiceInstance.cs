using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>One running service and a client for it.</summary>
public sealed class ServiceInstance(ServiceProcess process, HttpClient http) : IAsyncDisposable
{
    public HttpClient Http => http;

    public ServiceProcess Process => process;

    public Task WaitHealthyAsync() => process.WaitHealthyAsync(new Uri(http.BaseAddress!, "/health"));

    /// <summary>As a deployment would: SIGTERM, and the service ends by itself.</summary>
    public async Task StopAsync() => Assert.Equal(0, await process.StopAsync());

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await process.DisposeAsync();
    }
}
